/* loadgen: loads HTTP servers with ab's flags, and reports what it measured. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "loadgen/complain.h"
#include "loadgen/config.h"
#include "loadgen/interrupt.h"
#include "loadgen/report.h"
#include "loadgen/sweep.h"

#define STATUS_FAILED 1
#define STATUS_DOUBTFUL 3      /* loadgen's own checks failed */
#define STATUS_INTERRUPTED 130 /* as a shell reports death by SIGINT */

/* flush_report: a report that did not reach its reader (a full disk) is a failure, too. */
static bool
flush_report(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return true;
	complain("cannot write to standard output");
	return false;
}

/* measure runs the sweep and tells the results. Returns the exit status. */
static int
measure(struct sweep *sweep)
{
	bool told;

	report_begin(sweep);
	sweep_run(sweep);
	report_end(sweep);
	told = report_write_files(sweep);
	told &= flush_report();
	if (sweep->interrupted)
		return STATUS_INTERRUPTED;
	if (!told || sweep->failed || sweep->unmet)
		return STATUS_FAILED;
	return sweep->doubtful ? STATUS_DOUBTFUL : 0;
}

int
main(int argc, char **argv)
{
	static struct sweep sweep;
	struct config config;
	int status;

	config_parse(&config, argc, argv);
	status = sweep_init(&sweep, &config);
	if (status == 0 && !report_check_files(&config))
		status = STATUS_FAILED;
	if (status == 0 && interrupt_open() != 0) {
		complain("cannot watch for SIGINT: %s", strerror(errno));
		status = STATUS_FAILED;
	}
	if (status == 0)
		status = measure(&sweep);
	sweep_deinit(&sweep);
	config_deinit(&config);
	return status;
}
