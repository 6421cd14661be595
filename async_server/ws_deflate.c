/* permessage-deflate: the two streams of a connection whose messages are compressed (RFC 7692). */
#include "async_server/ws_deflate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ZLIB_CONST
#include <zlib.h>

#include "async_server/ws_frame.h"

#define MEM_LEVEL 8 /* zlib's default */

/* In z_stream.data_type after inflate(): it stands between two blocks. */
#define AT_BLOCK_END 128

struct ws_deflate {
	struct ws_deflate_params params;
	bool has_in; /* `in` is initialised */
	bool has_out;
	z_stream in;
	z_stream out;
};

/* What ends each message before it is sent, and is left out on the wire (RFC 7692, 7.2.1). */
static const char tail[4] = {0, 0, (char)0xff, (char)0xff};

struct ws_deflate *
ws_deflate_new(struct ws_deflate_params params)
{
	struct ws_deflate *streams = calloc(1, sizeof(*streams));

	if (streams != NULL)
		streams->params = params;
	return streams;
}

void
ws_deflate_free(struct ws_deflate *streams)
{
	if (streams == NULL)
		return;
	if (streams->has_in)
		inflateEnd(&streams->in);
	if (streams->has_out)
		deflateEnd(&streams->out);
	free(streams);
}

/* reserve makes room for what comes out of a stream; twice as much each time. */
static bool
reserve(struct ws_buffer *buffer, z_stream *stream)
{
	if (!ws_buffer_reserve(buffer, buffer->len == buffer->size ? 1 : 0))
		return false;
	stream->next_out = (Bytef *)ws_buffer_content(buffer) + buffer->len;
	stream->avail_out = buffer->size - buffer->len;
	return true;
}

/* inflate_part feeds DATA to the stream until it has taken everything and given everything. */
static uint16_t
inflate_part(z_stream *in, struct ws_buffer *buffer, uint32_t limit, const char *data, size_t len)
{
	in->next_in = (const Bytef *)data;
	in->avail_in = (uInt)len;
	do {
		int status;

		if (!reserve(buffer, in))
			return WS_CLOSE_INTERNAL_ERROR;
		/* One byte above the limit is enough to know. */
		if (in->avail_out > limit + 1 - buffer->len)
			in->avail_out = limit + 1 - buffer->len;
		status = inflate(in, Z_SYNC_FLUSH);
		buffer->len = (uint32_t)((char *)in->next_out - ws_buffer_content(buffer));
		if (buffer->len > limit)
			return WS_CLOSE_TOO_BIG;
		/* A final block may be sent, and ends nothing: what it refers to stays known (RFC 7692, 7.2.3.4, 7.2.3.5). */
		if (status == Z_STREAM_END)
			status = inflateResetKeep(in);
		if (status == Z_MEM_ERROR)
			return WS_CLOSE_INTERNAL_ERROR;
		if (status != Z_OK && status != Z_BUF_ERROR)
			return WS_CLOSE_INVALID_TEXT;
	} while (in->avail_in > 0 || in->avail_out == 0);
	return 0;
}

uint16_t
ws_deflate_inflate(
    struct ws_deflate *streams, struct ws_buffer *buffer, uint32_t limit, const char *data, size_t len, bool end)
{
	uint16_t code = 0;

	if (!streams->has_in && inflateInit2(&streams->in, -MAX_WBITS) != Z_OK)
		return WS_CLOSE_INTERNAL_ERROR;
	streams->has_in = true;
	if (len > 0)
		code = inflate_part(&streams->in, buffer, limit, data, len);
	if (code != 0 || !end)
		return code;
	code = inflate_part(&streams->in, buffer, limit, tail, sizeof(tail));
	if (code == 0 && (streams->in.data_type & AT_BLOCK_END) == 0)
		code = WS_CLOSE_INVALID_TEXT;
	return code;
}

int
ws_deflate_compress(struct ws_deflate *streams, struct ws_buffer *buffer, const char *data, size_t len)
{
	z_stream *out = &streams->out;
	uint32_t begun = buffer->len;

	if (!streams->has_out && deflateInit2(out, Z_BEST_SPEED, Z_DEFLATED, -streams->params.window_bits, MEM_LEVEL,
				     Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	streams->has_out = true;
	if (!ws_buffer_reserve(buffer, deflateBound(out, len) + sizeof(tail)))
		return -ENOMEM;
	out->next_in = (const Bytef *)data;
	out->avail_in = (uInt)len;
	do {
		if (!reserve(buffer, out))
			return -ENOMEM;
		/* A full flush forgets the messages before. */
		deflate(out, streams->params.no_context_takeover ? Z_FULL_FLUSH : Z_SYNC_FLUSH);
		buffer->len = (uint32_t)((char *)out->next_out - ws_buffer_content(buffer));
	} while (out->avail_out == 0);
	/* An empty message behind another flush comes to nothing at all: then a byte stands for it (RFC 7692, 7.2.3.6). */
	if (buffer->len == begun)
		return ws_buffer_add(buffer, tail, 1) ? 0 : -ENOMEM;
	buffer->len -= (uint32_t)sizeof(tail);
	return 0;
}
