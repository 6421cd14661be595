/* The results folder of a run: every file finished before any of it is seen. */
#include "experiments/report.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "experiments/csv.h"
#include "experiments/memory.h"
#include "experiments/plot.h"
#include "experiments/scheduler.h"

static int
fail(char *error, int result, const char *path)
{
	snprintf(error, REPORT_ERROR_MAX, "%s: %s", path, strerror(-result));
	return result;
}

static int
write_file(const struct text *text, const char *folder, const char *name, char *error)
{
	char *path = memory_print("%s/%s", folder, name);
	int result = text_write(text, path);

	if (result != 0)
		fail(error, result, path);
	free(path);
	return result;
}

static int
write_files(const struct record *record, const struct keeper *keeper, const char *folder, bool plots, char *error)
{
	struct text text = {0};
	int result = plots ? plot_draw(record, keeper, folder, error) : 0;

	if (result == 0) {
		csv_add(&text, record);
		result = write_file(&text, folder, "cells.csv", error);
	}
	text_deinit(&text);
	if (result == 0) {
		report_add_markdown(&text, record, folder);
		result = write_file(&text, folder, "report.md", error);
	}
	text_deinit(&text);
	if (result == 0) {
		report_add_html(&text, record, folder);
		result = write_file(&text, folder, "report.html", error);
	}
	text_deinit(&text);
	return result;
}

/* each_file renames every file of FROM into TO, or removes it where TO is NULL, and then removes FROM. */
static int
each_file(const char *from, const char *to)
{
	DIR *folder = opendir(from);
	const struct dirent *entry;
	int result = folder != NULL ? 0 : -errno;

	while (folder != NULL && (entry = readdir(folder)) != NULL) {
		char *old, *new;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		old = memory_print("%s/%s", from, entry->d_name);
		new = memory_print("%s/%s", to != NULL ? to : from, entry->d_name);
		if ((to != NULL ? rename(old, new) : unlink(old)) != 0)
			result = -errno;
		free(old);
		free(new);
	}
	if (folder != NULL)
		closedir(folder);
	if (rmdir(from) != 0 && result == 0)
		result = -errno;
	return result;
}

/* write_folder is report_write with the signals held back. */
static int
write_folder(const struct record *record, const struct keeper *keeper, const char *results, bool plots, char *error)
{
	char *final = memory_print("%s/%s", results, record->name);
	char *hidden = memory_print("%s/.%s.%d", results, record->name, (int)getpid());
	int result = mkdir(hidden, 0777) == 0 ? 0 : fail(error, -errno, hidden);

	if (result == 0) {
		result = write_files(record, keeper, hidden, plots, error);
		if (result == 0 && rename(hidden, final) != 0) {
			/*
			 * rename(2) replaces an empty folder only: this one has an older report in
			 * it, and maybe notes.
			 */
			result = errno == ENOTEMPTY || errno == EEXIST ? each_file(hidden, final) : -errno;
			if (result != 0)
				fail(error, result, final);
		}
		if (result != 0)
			(void)each_file(hidden, NULL);
	}
	free(final);
	free(hidden);
	return result;
}

int
report_write(const struct record *record, const struct keeper *keeper, const char *results, bool plots, char *error)
{
	sigset_t signals, before;
	int result;

	/* Ctrl-C waits the second or two until the folder is whole: it must not leave half of one. */
	scheduler_signals(&signals);
	sigprocmask(SIG_BLOCK, &signals, &before);
	result = write_folder(record, keeper, results, plots, error);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return result;
}
