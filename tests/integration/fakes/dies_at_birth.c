/* For LD_PRELOAD: while $DIES_AT_BIRTH exists, workers of prefork_server die in the first call that they make. */
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#undef prctl

int
prctl(int option, ...)
{
	const char *path = getenv("DIES_AT_BIRTH");

	if (option == PR_SET_PDEATHSIG && path != NULL && access(path, F_OK) == 0)
		raise(SIGSEGV);
	return 0;
}
