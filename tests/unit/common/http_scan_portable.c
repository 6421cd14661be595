/* Unit tests of common/http_scan where the processor has nothing to help with. */
#define HTTP_SCAN_PORTABLE
#include "tests/unit/common/http_scan.c"
