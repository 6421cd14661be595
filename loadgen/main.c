/* loadgen: loads HTTP servers with ab's flags, and reports what it measured. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/standard_fds.h"
#include "loadgen/complain.h"
#include "loadgen/config.h"
#include "loadgen/interrupt.h"
#include "loadgen/outputs.h"
#include "loadgen/report.h"
#include "loadgen/sweep.h"

#define STATUS_FAILED 1
#define STATUS_DOUBTFUL 3   /* loadgen's own checks failed */
#define STATUS_SIGNALED 128 /* and the signal's number, as a shell reports death by one */

/* open_standard sees to it that no socket and no file gets the number of a stream. Returns whether output was open, or exits. */
static bool
open_standard(void)
{
	bool has_output = fcntl(STDOUT_FILENO, F_GETFD) >= 0;

	if (standard_fds_open() != 0)
		exit(STATUS_FAILED); /* there may be nowhere to say it */
	signal(SIGXFSZ, SIG_IGN);    /* a limit of file sizes is an error of that file, not our end */
	return has_output;
}

/* flush_report: a report that did not reach its reader (a full disk, a stream that was closed) is a failure, too. */
static bool
flush_report(bool has_output)
{
	if (fflush(stdout) == 0 && !ferror(stdout) && has_output)
		return true;
	complain("cannot write to standard output");
	return false;
}

/* measure runs the sweep and tells the results, to standard output where there is one (HAS_OUTPUT). Returns the exit status. */
static int
measure(struct sweep *sweep, bool has_output)
{
	bool told;

	report_begin(sweep);
	sweep_run(sweep);
	report_end(sweep);
	told = outputs_write(sweep);
	if (!has_output || !sweep->config->data_on_stdout) /* else the data are flushed, and an error of that is told */
		told &= flush_report(has_output);
	if (sweep->interrupted)
		return STATUS_SIGNALED + interrupt_signal();
	if (!told || sweep->failed || sweep->unmet)
		return STATUS_FAILED;
	return sweep->doubtful ? STATUS_DOUBTFUL : 0;
}

int
main(int argc, char **argv)
{
	static struct sweep sweep;
	struct config config;
	bool has_output = open_standard();
	int status;

	config_parse(&config, argc, argv);
	status = sweep_init(&sweep, &config);
	if (status == 0 && !outputs_check(&config))
		status = STATUS_FAILED;
	if (status == 0 && interrupt_open() != 0) {
		complain("cannot watch for SIGINT and SIGTERM: %s", strerror(errno));
		status = STATUS_FAILED;
	}
	if (status == 0)
		status = measure(&sweep, has_output);
	sweep_deinit(&sweep);
	config_deinit(&config);
	return status;
}
