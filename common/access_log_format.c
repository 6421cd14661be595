/* The format of the access log's lines, in aiohttp's words or gunicorn's -> a list of items to print one after another. */
#include "common/access_log_format.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

struct atom {
	const char *name;
	enum access_log_kind kind;
};

/* How a style writes its atoms: OPEN, then `{Name}i`, `{Name}o` or one of ATOMS, then CLOSE. */
struct syntax {
	const char *open, *close;
	const struct atom *atoms; /* one that begins as another does stands before it */
	size_t count;
	const char *allowed; /* as an error message tells it */
	const char *fallback;
};

static const struct atom aiohttp_atoms[] = {
    {"a", ACCESS_LOG_PEER},
    {"t", ACCESS_LOG_TIME_BEGUN},
    {"P", ACCESS_LOG_PID},
    {"r", ACCESS_LOG_FIRST_LINE},
    {"s", ACCESS_LOG_STATUS},
    {"b", ACCESS_LOG_SENT_BYTES},
    {"Tf", ACCESS_LOG_SECONDS_FULL},
    {"T", ACCESS_LOG_SECONDS_ROUNDED},
    {"D", ACCESS_LOG_MICROSECONDS},
};

static const struct atom gunicorn_atoms[] = {
    {"h", ACCESS_LOG_PEER},
    {"l", ACCESS_LOG_DASH},
    {"u", ACCESS_LOG_USER},
    {"t", ACCESS_LOG_TIME_NOW},
    {"r", ACCESS_LOG_FIRST_LINE},
    {"m", ACCESS_LOG_METHOD},
    {"U", ACCESS_LOG_PATH},
    {"q", ACCESS_LOG_QUERY},
    {"H", ACCESS_LOG_PROTOCOL},
    {"s", ACCESS_LOG_STATUS},
    {"b", ACCESS_LOG_BODY_BYTES},
    {"B", ACCESS_LOG_BODY_BYTES},
    {"f", ACCESS_LOG_REFERER},
    {"a", ACCESS_LOG_USER_AGENT},
    {"D", ACCESS_LOG_MICROSECONDS},
    {"M", ACCESS_LOG_MILLISECONDS},
    {"T", ACCESS_LOG_SECONDS_WHOLE},
    {"L", ACCESS_LOG_SECONDS_FULL},
    {"p", ACCESS_LOG_PID},
};

static const struct syntax syntaxes[] = {
    [ACCESS_LOG_AIOHTTP] =
	{
	    .open = "%",
	    .close = "",
	    .atoms = aiohttp_atoms,
	    .count = ARRAY_LEN(aiohttp_atoms),
	    .allowed = "%a %t %P %r %s %b %T %Tf %D %{Name}i %{Name}o, or %% for a percent sign",
	    .fallback = "%a %t \"%r\" %s %b \"%{Referer}i\" \"%{User-Agent}i\"",
	},
    [ACCESS_LOG_GUNICORN] =
	{
	    .open = "%(",
	    .close = ")s",
	    .atoms = gunicorn_atoms,
	    .count = ARRAY_LEN(gunicorn_atoms),
	    .allowed = "%(X)s with one of h l u t r m U q H s b B f a D M T L p {name}i {name}o for X, or %% for a "
		       "percent sign",
	    .fallback = "%(h)s %(l)s %(u)s %(t)s \"%(r)s\" %(s)s %(b)s \"%(f)s\" \"%(a)s\"",
	},
};

/* The parser's place in the copy of the format. */
struct parser {
	struct access_log_format *format;
	const struct syntax *syntax;
	char *at;
	char *error;
	size_t error_size;
};

/* fail tells WHAT is wrong at AT, character 1 being the first. */
static int
fail(struct parser *parser, const char *at, const char *what, const char *allowed)
{
	snprintf(parser->error, parser->error_size, "at character %zu: %s%s", (size_t)(at - parser->format->own) + 1,
	    what, allowed);
	return -EINVAL;
}

static struct access_log_item *
add(struct parser *parser, enum access_log_kind kind)
{
	struct access_log_format *format = parser->format;
	struct access_log_item *item;

	if (format->count == ACCESS_LOG_ITEMS_MAX)
		return NULL;
	item = &format->items[format->count++];
	*item = (struct access_log_item){.kind = kind};
	if (kind == ACCESS_LOG_TIME_BEGUN || (kind >= ACCESS_LOG_SECONDS_ROUNDED && kind <= ACCESS_LOG_MICROSECONDS))
		format->needs_time = true;
	if (kind == ACCESS_LOG_RESPONSE_FIELD)
		format->needs_head = true;
	return item;
}

static int
fail_count(struct parser *parser, const char *at)
{
	return fail(parser, at, "this is more than 64 atoms and pieces of text", "");
}

static int
fail_wanted(struct parser *parser, const char *at)
{
	return fail(parser, at, "this is one request field too many; at most 8 different ones can be logged", "");
}

/* want has the request's field NAME looked out for, and gives its number in *SLOT. Returns false where there are too many. */
static bool
want(struct access_log_format *format, const char *name, unsigned *slot)
{
	unsigned i = 0;

	while (i < format->wanted_count && strcmp(format->wanted[i], name) != 0)
		i++;
	if (i == HTTP_WANTED_MAX)
		return false;
	format->wanted[i] = name;
	if (i == format->wanted_count)
		format->wanted_count++;
	*slot = i;
	return true;
}

/* add_request_field takes NAME from where the request has it anyway, or asks for it. */
static int
add_request_field(struct parser *parser, const char *at, const char *name)
{
	static const struct atom known[] = {
	    {"referer", ACCESS_LOG_REFERER},
	    {"user-agent", ACCESS_LOG_USER_AGENT},
	    {"content-type", ACCESS_LOG_CONTENT_TYPE},
	};
	enum access_log_kind kind = ACCESS_LOG_REQUEST_FIELD;
	struct access_log_item *item;

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strcmp(known[i].name, name) == 0)
			kind = known[i].kind;
	item = add(parser, kind);
	if (item == NULL)
		return fail_count(parser, at);
	if (kind == ACCESS_LOG_REQUEST_FIELD && !want(parser->format, name, &item->slot))
		return fail_wanted(parser, at);
	return 0;
}

/* parse_field parses `{Name}i` or `{Name}o`. AT is where the atom begins. */
static int
parse_field(struct parser *parser, const char *at)
{
	char *name = ++parser->at;
	struct access_log_item *item;
	char *end;
	char of;

	for (end = name; isalnum((unsigned char)*end) || *end == '-' || *end == '_'; end++)
		*end = (char)tolower((unsigned char)*end);
	if (end == name || *end != '}')
		return fail(parser, end, "the name of a field ends with } and has letters, digits, - and _", "");
	of = end[1];
	if (of != 'i' && of != 'o')
		return fail(
		    parser, end + 1, "after } stands i for a field of the request, o for one of the answer", "");
	*end = '\0';
	parser->at = end + 2;
	if (of == 'i')
		return add_request_field(parser, at, name);
	item = add(parser, ACCESS_LOG_RESPONSE_FIELD);
	if (item == NULL)
		return fail_count(parser, at);
	item->text = name;
	item->len = strlen(name);
	return 0;
}

/* parse_named parses one of the syntax's atoms. */
static int
parse_named(struct parser *parser, const char *at)
{
	const struct syntax *syntax = parser->syntax;
	const struct atom *atom = syntax->atoms;
	const struct atom *end = atom + syntax->count;
	struct access_log_item *item;

	while (atom < end && strncmp(parser->at, atom->name, strlen(atom->name)) != 0)
		atom++;
	if (atom == end)
		return fail(parser, at, "no such atom; use ", syntax->allowed);
	parser->at += strlen(atom->name);
	item = add(parser, atom->kind);
	if (item == NULL)
		return fail_count(parser, at);
	if (atom->kind == ACCESS_LOG_USER && !want(parser->format, "authorization", &item->slot))
		return fail_wanted(parser, at);
	return 0;
}

static int
parse_atom(struct parser *parser)
{
	const struct syntax *syntax = parser->syntax;
	const char *at = parser->at;
	int error;

	if (strncmp(at, syntax->open, strlen(syntax->open)) != 0)
		return fail(parser, at, "no such atom; use ", syntax->allowed);
	parser->at += strlen(syntax->open);
	error = *parser->at == '{' ? parse_field(parser, at) : parse_named(parser, at);
	if (error != 0)
		return error;
	if (strncmp(parser->at, syntax->close, strlen(syntax->close)) != 0)
		return fail(parser, at, "no such atom; use ", syntax->allowed);
	parser->at += strlen(syntax->close);
	return 0;
}

/* parse_text takes everything before the next atom; `%%` begins a piece of its own, at its second sign. */
static int
parse_text(struct parser *parser)
{
	const char *begin = parser->at;
	struct access_log_item *item;

	if (*begin == '%')
		begin = ++parser->at;
	do {
		if (iscntrl((unsigned char)*parser->at) && *parser->at != '\t')
			return fail(parser, parser->at, "a control character would end or spoil the line", "");
		parser->at++;
	} while (*parser->at != '\0' && *parser->at != '%');
	item = add(parser, ACCESS_LOG_TEXT);
	if (item == NULL)
		return fail_count(parser, begin);
	item->text = begin;
	item->len = (size_t)(parser->at - begin);
	return 0;
}

static int
set_json(struct access_log_format *format, const char *text, char *error, size_t error_size)
{
	if (text != NULL) {
		snprintf(error, error_size, "JSON lines have fixed keys and no format");
		return -EINVAL;
	}
	format->json = true;
	format->needs_time = true;
	format->wanted[format->wanted_count++] = "authorization";
	return 0;
}

int
access_log_format_parse(
    struct access_log_format *format, enum access_log_style style, const char *text, char *error, size_t error_size)
{
	struct parser parser = {
	    .format = format,
	    .syntax = style == ACCESS_LOG_JSON ? NULL : &syntaxes[style],
	    .at = format->own,
	    .error = error,
	    .error_size = error_size,
	};
	int failed = 0;

	memset(format, 0, sizeof(*format));
	if (style == ACCESS_LOG_JSON)
		return set_json(format, text, error, error_size);
	if (text == NULL)
		text = parser.syntax->fallback;
	if (*text == '\0' || strlen(text) >= sizeof(format->own)) {
		snprintf(error, error_size, "a format has 1 to %d characters", ACCESS_LOG_FORMAT_MAX - 1);
		return -EINVAL;
	}
	memcpy(format->own, text, strlen(text) + 1);
	while (failed == 0 && *parser.at != '\0') {
		if (*parser.at == '%' && parser.at[1] != '%')
			failed = parse_atom(&parser);
		else
			failed = parse_text(&parser);
	}
	return failed;
}
