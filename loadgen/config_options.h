/* What can be asked for: each option's names, its text in --help, where its value goes, and what it may be. */
#ifndef LOADGEN_CONFIG_OPTIONS_H
#define LOADGEN_CONFIG_OPTIONS_H

#include "common/options.h"

/* Fills a struct config (config.h). */
extern const struct options_program config_options;

#endif
