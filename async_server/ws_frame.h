/* Bytes of a WebSocket connection <-> frames, as a server reads and writes them (RFC 6455, 5). */
#ifndef ASYNC_SERVER_WS_FRAME_H
#define ASYNC_SERVER_WS_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"

enum ws_opcode {
	WS_CONTINUATION = 0x0,
	WS_TEXT = 0x1,
	WS_BINARY = 0x2,
	WS_CLOSE = 0x8,
	WS_PING = 0x9,
	WS_PONG = 0xa,
};

/* Why a connection closes (RFC 6455, 7.4.1; aiohttp's WSCloseCode). */
enum ws_close_code {
	WS_CLOSE_OK = 1000,
	WS_CLOSE_GOING_AWAY = 1001,
	WS_CLOSE_PROTOCOL_ERROR = 1002,
	WS_CLOSE_NO_CODE = 1005, /* never sent: a close frame without a code */
	WS_CLOSE_INVALID_TEXT = 1007,
	WS_CLOSE_TOO_BIG = 1009,
	WS_CLOSE_INTERNAL_ERROR = 1011,
};

/* The longest head of a frame that a client sends, and that we send, which has no mask. */
#define WS_CLIENT_HEAD_MAX 14
#define WS_HEAD_MAX 10

/* The longest payload of a control frame (RFC 6455, 5.5). */
#define WS_CONTROL_MAX 125

/* What ws_reader_read came to. */
enum ws_event {
	WS_MORE,     /* all bytes were taken; nothing is complete */
	WS_PIECE,    /* `data`, `len`: the next bytes of a message of `opcode`; its last ones where `end` */
	WS_PINGED,   /* `data`, `len`: to be sent back in a pong */
	WS_PONGED,   /* `data`, `len` */
	WS_CLOSED,   /* the client's last frame: `code`, or WS_CLOSE_NO_CODE; `data`, `len`: its reason */
	WS_VIOLATED, /* close with `code`: nothing that follows can be trusted */
};

/* How far a connection has come in its frames.  The fields behind the empty line are what the latest event tells. */
struct ws_reader {
	uint64_t left;                /* of the present frame's payload, still to come */
	uint32_t limit;               /* on the payloads of one message together, in bytes */
	uint32_t message;             /* those of the present message, so far */
	uint8_t mask[4];              /* of the present frame; the next byte's stands first */
	uint8_t head_len;             /* how much of the frame's head has come */
	uint8_t frame;                /* enum ws_opcode of the present frame */
	uint8_t control_len;          /* how much of `control` has come */
	bool in_payload;              /* the head is complete */
	bool final;                   /* the frame is the last of its message */
	bool in_message;              /* a message has begun, and its last frame has not */
	bool deflate;                 /* messages may be compressed */
	bool ended;                   /* after WS_CLOSED and WS_VIOLATED */
	char control[WS_CONTROL_MAX]; /* the head of a frame as it comes, then the payload of a control frame */

	bool end;
	bool compressed; /* the message's, at WS_PIECE: its pieces are to be inflated */
	uint8_t opcode;  /* WS_TEXT or WS_BINARY, at WS_PIECE */
	uint16_t code;   /* enum ws_close_code, or 3000 to 4999 */
	size_t len;
	const char *data;
};

/*
 * ws_reader_init makes READER ready for a connection's first frame.  LIMIT is
 * the most bytes that a message's frames may carry: a head that announces more is
 * WS_VIOLATED with WS_CLOSE_TOO_BIG before any payload has come.  DEFLATE tells whether permessage-deflate was negotiated.
 */
void ws_reader_init(struct ws_reader *reader, uint32_t limit, bool deflate);

/*
 * ws_reader_read takes bytes from DATA[0..LEN) up to the next event, stores
 * how many in *TAKEN, and returns the event.  Call it again with the rest
 * until it returns WS_MORE.  It unmasks payloads where they stand, in DATA.
 * `data` points into DATA for pieces, and into READER for control frames: valid until the next call.
 * However the bytes are cut into calls, the events and the joined pieces are the same; a piece may be empty
 * only where it ends a message.  WS_CLOSED and WS_VIOLATED are final: later calls take nothing and return WS_VIOLATED again.
 *
 * What is WS_VIOLATED, besides the limit: a frame without mask, unknown opcodes,
 * reserved bits (RSV1 is a compressed message's first frame's, where negotiated), a length not in its shortest form or
 * above 2^63-1, a control frame in parts or above 125 bytes, a continuation of nothing, a message within a message,
 * and a close frame of one byte, with a code that must not be sent (RFC 6455, 7.4) or a reason that is not UTF-8 (1007).
 * aiohttp 3.8 lets pass: no mask, long forms of lengths, RSV1 in control frames, code 1006 and codes from 5000 on.
 * Texts are not looked at: see ws_message.h.
 */
MUST_CHECK enum ws_event ws_reader_read(struct ws_reader *reader, char *data, size_t len, size_t *taken);

/* ws_frame_head writes the head of a final frame whose payload has LEN bytes into BUF[WS_HEAD_MAX]. Returns its length. */
size_t ws_frame_head(char *buf, enum ws_opcode opcode, bool compressed, size_t len);

/* ws_frame_head_len is what ws_frame_head returns for LEN. */
size_t ws_frame_head_len(size_t len);

/* ws_frame_close writes a whole close frame into BUF[WS_CLOSE_FRAME_LEN]. CODE may not be WS_CLOSE_NO_CODE. */
#define WS_CLOSE_FRAME_LEN 4
void ws_frame_close(char *buf, uint16_t code);

#endif
