/* A text that grows: what tables, reports and plot scripts are written into before anything touches the disk. */
#include "experiments/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "experiments/memory.h"

void
text_deinit(struct text *text)
{
	free(text->at);
	*text = (struct text){0};
}

const char *
text_string(const struct text *text)
{
	return text->at != NULL ? text->at : "";
}

/* make_room sees to it that LEN more bytes and a terminator fit. */
static void
make_room(struct text *text, size_t len)
{
	if (text->size - text->len > len)
		return;
	text->size = 2 * text->size + len + 256;
	text->at = memory_grow(text->at, text->size, 1);
}

void
text_add_len(struct text *text, const char *bytes, size_t len)
{
	make_room(text, len);
	memcpy(text->at + text->len, bytes, len);
	text->len += len;
	text->at[text->len] = '\0';
}

void
text_add(struct text *text, const char *format, ...)
{
	va_list args, again;
	int len;

	va_start(args, format);
	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len > 0) {
		make_room(text, (size_t)len);
		vsnprintf(text->at + text->len, (size_t)len + 1, format, again);
		text->len += (size_t)len;
	}
	va_end(again);
}

void
text_add_html(struct text *text, const char *string)
{
	for (; *string != '\0'; string++) {
		switch (*string) {
		case '&':
			text_add(text, "&amp;");
			break;
		case '<':
			text_add(text, "&lt;");
			break;
		case '>':
			text_add(text, "&gt;");
			break;
		case '"':
			text_add(text, "&quot;");
			break;
		default:
			text_add_len(text, string, 1);
		}
	}
}

void
text_add_markdown(struct text *text, const char *string)
{
	for (; *string != '\0'; string++) {
		if (strchr("\\`*_~[]<>|#&$", *string) != NULL)
			text_add_len(text, "\\", 1);
		text_add_len(text, strchr("\r\n", *string) != NULL ? " " : string, 1);
	}
}

void
text_add_shell(struct text *text, const char *string)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:=,@%+-";

	if (*string != '\0' && string[strspn(string, plain)] == '\0') {
		text_add_len(text, string, strlen(string));
		return;
	}
	text_add_len(text, "'", 1);
	for (; *string != '\0'; string++) {
		if (*string == '\'')
			text_add_len(
			    text, "'\\'", 3); /* nothing is escaped between quotes: end them, \', begin them again */
		text_add_len(text, string, 1);
	}
	text_add_len(text, "'", 1);
}

void
text_add_csv(struct text *text, const char *string)
{
	if (strpbrk(string, ",\"\r\n") == NULL) {
		text_add_len(text, string, strlen(string));
		return;
	}
	text_add_len(text, "\"", 1);
	for (; *string != '\0'; string++) {
		if (*string == '"')
			text_add_len(text, "\"", 1);
		text_add_len(text, string, 1);
	}
	text_add_len(text, "\"", 1);
}

/* characters counts the code points in LEN bytes of UTF-8: the bytes that do not continue one. */
static int
characters(const char *bytes, size_t len)
{
	int count = 0;

	for (size_t i = 0; i < len; i++)
		count += ((unsigned char)bytes[i] & 0xc0) != 0x80;
	return count;
}

void
text_add_wrapped(struct text *text, const char *string, int indent, int width)
{
	int used = indent;
	bool first = true;

	string += strspn(string, " \n");
	while (*string != '\0') {
		size_t len = strcspn(string, " \n");
		int wide = characters(string, len);

		if (!first && used + 1 + wide > width) {
			text_add(text, "\n%*s", indent, "");
			used = indent;
		} else if (!first) {
			text_add(text, " ");
			used++;
		}
		text_add_len(text, string, len);
		used += wide;
		first = false;
		string += len;
		string += strspn(string, " \n");
	}
	text_add(text, "\n");
}

int
text_read(struct text *text, const char *path, size_t max)
{
	char part[4096];
	FILE *file = fopen(path, "re");
	size_t len;
	int error = 0;

	if (file == NULL)
		return -errno;
	while ((len = fread(part, 1, sizeof(part), file)) > 0) {
		text_add_len(text, part, len);
		if (text->len > max) {
			fclose(file);
			return -EFBIG;
		}
	}
	if (ferror(file))
		error = -errno;
	fclose(file);
	return error;
}

int
text_write(const struct text *text, const char *path)
{
	FILE *file = fopen(path, "we");
	int error = 0;

	if (file == NULL)
		return -errno;
	if (fwrite(text_string(text), 1, text->len, file) != text->len || fflush(file) != 0)
		error = -errno;
	if (fclose(file) != 0 && error == 0)
		error = -errno;
	return error;
}
