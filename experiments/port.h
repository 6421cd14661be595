/* Free TCP ports for the servers of a run. */
#ifndef EXPERIMENTS_PORT_H
#define EXPERIMENTS_PORT_H

#include <stdbool.h>

/*
 * port_free returns a port of HOST that nobody listens on, and that this
 * process was not given before.  It lies below the ports that the kernel gives to
 * outgoing connections (32768 and up), so that no client of another cell can take it between
 * now and the server's bind.  Returns 0 when there is none.
 */
int port_free(const char *host);

/* port_is_free tells whether a server could listen on PORT of HOST now. */
bool port_is_free(const char *host, int port);

#endif
