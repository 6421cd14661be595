/* The facts that stand beside the numbers: machine, limits, versions, revision (measuring without them says little). */
#include "experiments/machine.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "common/version.h"
#include "experiments/command.h"
#include "experiments/cpus.h"
#include "experiments/memory.h"
#include "experiments/process.h"
#include "experiments/requires.h"

#define ASK_SECONDS 5.0

void
facts_add(struct facts *facts, const char *name, const char *value)
{
	if (facts->count < FACTS_MAX)
		facts->at[facts->count++] = (struct fact){.name = memory_copy(name), .value = memory_copy(value)};
}

const char *
facts_find(const struct facts *facts, const char *name)
{
	for (size_t i = 0; i < facts->count; i++)
		if (strcmp(facts->at[i].name, name) == 0)
			return facts->at[i].value;
	return NULL;
}

void
facts_deinit(struct facts *facts)
{
	for (size_t i = 0; i < facts->count; i++) {
		free(facts->at[i].name);
		free(facts->at[i].value);
	}
	facts->count = 0;
}

/* add_own adds a VALUE that it then frees. */
static void
add_own(struct facts *facts, const char *name, char *value)
{
	facts_add(facts, name, value);
	free(value);
}

/*
 * file_value returns the text behind KEY and its : or = (NULL: the first line)
 * in a file of /proc, /sys or /etc, without quotes and tabs; the caller frees it.
 */
static char *
file_value(const char *path, const char *key)
{
	FILE *file = fopen(path, "re");
	char line[512], *found = NULL;

	while (file != NULL && found == NULL && fgets(line, sizeof(line), file) != NULL) {
		char *value = line;

		if (key != NULL) {
			if (strncmp(line, key, strlen(key)) != 0)
				continue;
			value = strpbrk(line, ":=") != NULL ? strpbrk(line, ":=") + 1 : line;
		}
		value += strspn(value, " \t\"");
		value[strcspn(value, "\n\"")] = '\0';
		for (char *tab = value; (tab = strchr(tab, '\t')) != NULL;)
			*tab = ' ';
		found = memory_copy(value);
	}
	if (file != NULL)
		fclose(file);
	return found;
}

static void
add_file(struct facts *facts, const char *name, const char *path, const char *key)
{
	char *value = file_value(path, key);

	if (value != NULL)
		add_own(facts, name, value);
}

/* add_command adds the first line that a program prints, when it ends well and prints one. */
static void
add_command(struct facts *facts, const struct keeper *keeper, const char *name, char **argv)
{
	struct text output = {0};
	char *path = command_find(argv[0], ".");

	if (path == NULL)
		return;
	argv[0] = path;
	if (process_run(keeper, argv, NULL, &output, NULL, ASK_SECONDS) == 0 && output.len > 0) {
		output.at[strcspn(output.at, "\n")] = '\0';
		facts_add(facts, name, output.at);
	}
	free(path);
	text_deinit(&output);
}

static void
add_cpus(struct facts *facts)
{
	cpu_set_t cpus;
	long online = sysconf(_SC_NPROCESSORS_ONLN);

	add_file(facts, "CPU", "/proc/cpuinfo", "model name");
	if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
		add_own(facts, "CPUs", memory_print("%ld, %d of them for the lab", online, CPU_COUNT(&cpus)));
	add_file(facts, "governor", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", NULL);
	add_file(facts, "memory", "/proc/meminfo", "MemTotal");
	add_file(facts, "load average at the start", "/proc/loadavg", NULL);
}

static void
add_limits(struct facts *facts)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0)
		add_own(facts, "open files limit", memory_print("%llu", (unsigned long long)files.rlim_cur));
	add_file(facts, "net.core.somaxconn", "/proc/sys/net/core/somaxconn", NULL);
	add_file(facts, "ports for clients", "/proc/sys/net/ipv4/ip_local_port_range", NULL);
}

/* add_build says what of the compiler's flags the compiler itself tells the program. */
static void
add_build(struct facts *facts)
{
	const char *sanitizer = "";
	const char *optimised = "";

#ifdef __SANITIZE_ADDRESS__
	sanitizer = ", AddressSanitizer";
#endif
#ifdef __SANITIZE_THREAD__
	sanitizer = ", ThreadSanitizer";
#endif
#ifndef __OPTIMIZE__
	optimised = ", not optimised";
#endif
#ifdef __clang__
	add_own(facts, "compiler", memory_print("%s%s%s", __VERSION__, optimised, sanitizer));
#else
	add_own(facts, "compiler", memory_print("gcc %s%s%s", __VERSION__, optimised, sanitizer));
#endif
}

/* add_packages adds the versions of what the servers that were started require. */
static void
add_packages(struct facts *facts, const struct keeper *keeper, const struct plan *plan)
{
	for (size_t i = 0; i < plan->cell_count; i++) {
		const char *list = plan->cells[i].server->requires;
		struct requirement requirement;

		while (plan->cells[i].result.state == RESULT_NONE && requires_next(&list, &requirement)) {
			char *name = memory_print("package %s", requirement.package);
			char *argv[] = {"dpkg-query", "-W", "-f", "${Version}", requirement.package, NULL};

			if (facts_find(facts, name) == NULL)
				add_command(facts, keeper, name, argv);
			free(name);
		}
	}
}

void
machine_facts(struct facts *facts, const struct keeper *keeper, const char *folder, const struct plan *plan)
{
	char *git[] = {"git", "-C", (char *)(uintptr_t)folder, "describe", "--always", "--dirty", "--abbrev=12", NULL};
	char *gnuplot[] = {"gnuplot", "--version", NULL};
	struct utsname kernel;
	struct cpus cpus;
	char placement[128];

	add_cpus(facts);
	cpus_split(&cpus);
	facts_add(facts, "placement", cpus_describe(&cpus, placement, sizeof(placement)));
	if (uname(&kernel) == 0)
		add_own(facts, "kernel", memory_print("%s %s %s", kernel.sysname, kernel.release, kernel.machine));
	add_file(facts, "system", "/etc/os-release", "PRETTY_NAME");
	add_limits(facts);
	facts_add(facts, "loopfork", LOOPFORK_VERSION);
	add_command(facts, keeper, "git revision", git);
	add_build(facts);
	add_command(facts, keeper, "plots by", gnuplot);
	add_packages(facts, keeper, plan);
}
