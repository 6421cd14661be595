/* One request of a --urls file, put together part by part. */
#ifndef LOADGEN_URL_ENTRY_H
#define LOADGEN_URL_ENTRY_H

#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"

struct url_entry {
	char *method; /* NULL: as the options say */
	char *path;   /* path and query */
	char *server; /* the URL of the server that the target names, with the path "/"; NULL: it is a path */
	char **fields;
	size_t fields_len;
	char *body;            /* in memory, at most REQUEST_SMALL_MAX bytes; NULL: none */
	const char *body_file; /* larger than that: the name of one of the url_files; NULL: none */
	int body_fd;           /* of body_file */
	uint64_t body_len;     /* bytes */
};

/* Files of large bodies, opened once however many requests send them. */
struct url_files {
	struct url_file {
		char *name;
		int fd;
		uint64_t len; /* bytes */
	} * items;
	size_t len;
};

/* Where a line stands, for messages, and where they go. */
struct url_place {
	const char *file;
	size_t line;
	char *error;
	size_t error_size;
};

/* url_refuse writes "FILE:LINE: MESSAGE" and returns -EINVAL. */
int url_refuse(const struct url_place *place, const char *format, ...) PRINTF_LIKE(2, 3);

/*
 * These add to ENTRY, which is all zeros at first; they copy what they are given.  They return 0, -EINVAL for what cannot be, or that errno value
 * of a body file that cannot be read, with a message at PLACE, or -ENOMEM without.
 * url_entry_deinit frees it (also after a failure).
 */
MUST_CHECK int url_entry_method(struct url_entry *entry, const struct url_place *place, const char *method);
MUST_CHECK int url_entry_target(struct url_entry *entry, const struct url_place *place, const char *target);
MUST_CHECK int url_entry_field(struct url_entry *entry, const struct url_place *place, const char *line);
MUST_CHECK int url_entry_body(struct url_entry *entry, const struct url_place *place, const char *text, size_t len);
MUST_CHECK int url_entry_body_file(
    struct url_entry *entry, const struct url_place *place, const char *name, struct url_files *files);
void url_entry_deinit(struct url_entry *entry);

/* url_entry_text and url_entry_json make ENTRY of a whole line, which they may change. They return as above. */
MUST_CHECK int url_entry_text(
    struct url_entry *entry, const struct url_place *place, char *line, struct url_files *files);
MUST_CHECK int url_entry_json(
    struct url_entry *entry, const struct url_place *place, const char *line, struct url_files *files);

#endif
