/* The version that all four programs carry: --version, Server, banners and JSON. */
#ifndef COMMON_VERSION_H
#define COMMON_VERSION_H

#define LOOPFORK_VERSION "0.1.0"

#endif
