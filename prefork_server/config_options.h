/* What can be asked for: each option's name, its text in --help, where its value goes, and what it may be. */
#ifndef PREFORK_SERVER_CONFIG_OPTIONS_H
#define PREFORK_SERVER_CONFIG_OPTIONS_H

#include "common/options.h"

/* Fills a struct config (config.h). The same table serves the command line, the file, $WEB_CONCURRENCY and a reload. */
extern const struct options_program config_options;

#endif
