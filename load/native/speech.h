/* The dialects that the load tools speak: how a message carries its number, and what a frame from the server is.
 * A message's text holds MARK and eight hex digits of its number, which is the command's id too; its nonce holds NONCE and
 * eight that look random, as nonces are: an index takes them less kindly than what is counted up. A hello holds SELF and
 * eight digits of the member's own number, where members may not all say the same. */
#ifndef HUBCHAT_LOAD_SPEECH_H
#define HUBCHAT_LOAD_SPEECH_H

#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frames.h"
#include "plan.h"

/* Longer than an id: one that looked like a mark would be taken for it. */
static const char MARK[] = "#mark", NONCE[] = "#once", SELF[] = "#self";
enum { SIGN_BYTES = 5, MARK_BYTES = SIGN_BYTES + 8 };
enum { CENTRIFUGE_ID_BASE = 1000000000 }; /* JSON knows no leading zeros, so all ids have ten digits */
enum heard { OTHER, GREETING, DELIVERY, REPLY, FAILURE };

static inline void speech_fill(unsigned char *payload, size_t size, const char *sign, uint32_t value)
{
    char digits[9];
    snprintf(digits, sizeof digits, "%08x", value);
    unsigned char *at = memmem(payload, size, sign, SIGN_BYTES);
    if (at)
        memcpy(at + SIGN_BYTES, digits, 8);
}

/* Makes the template message `number`. */
static inline void speech_number(unsigned char *payload, size_t size, enum dialect dialect, uint32_t number)
{
    speech_fill(payload, size, MARK, number);
    speech_fill(payload, size, NONCE, number * 2654435761u); /* odd, so no two numbers meet (Knuth, TAOCP 6.4) */
    unsigned char *id = dialect == MSGPACK ? memmem(payload, size, "\xa2id\xce", 4) : NULL;
    for (int i = 0; id && i < 4; i++)
        id[4 + i] = (unsigned char)(number >> 8 * (3 - i));
    char digits[16];
    if (dialect == SOCKETIO) { /* "42", eight digits, then the event */
        snprintf(digits, sizeof digits, "%08u", number);
        memcpy(payload + 2, digits, 8);
    }
    if (dialect == CENTRIFUGE) { /* {"id":, ten digits, then the command */
        snprintf(digits, sizeof digits, "%010u", CENTRIFUGE_ID_BASE + number);
        memcpy(payload + 6, digits, 10);
    }
}

static inline int speech_holds(const struct frame *frame, const char *words)
{
    return memmem(frame->payload, frame->length, words, strlen(words)) != NULL;
}

static inline int speech_starts(const struct frame *frame, const char *words)
{
    return frame->length >= strlen(words) && memcmp(frame->payload, words, strlen(words)) == 0;
}

static inline unsigned speech_opcode(enum dialect dialect)
{
    return dialect == PLAIN || dialect == MSGPACK ? BINARY : TEXT;
}

static inline int speech_msgpack_uint(const unsigned char *at, const unsigned char *end, uint32_t *number)
{
    if (at < end && *at < 0x80) {
        *number = *at;
        return 1;
    }
    int width = at < end && *at >= 0xcc && *at <= 0xcf ? 1 << (*at - 0xcc) : 0;
    if (!width || end - at <= width)
        return 0;
    *number = 0;
    for (int i = 1; i <= width; i++)
        *number = *number << 8 | at[i];
    return 1;
}

static inline enum heard speech_reply(const struct frame *frame, enum dialect dialect, uint32_t *number)
{
    const unsigned char *payload = frame->payload, *end = payload + frame->length, *at;
    if (dialect == MSGPACK && (at = memmem(payload, frame->length, "\xa2re", 3)) && speech_msgpack_uint(at + 3, end, number))
        return memmem(payload, frame->length, "\xa5" "error", 6) ? FAILURE : REPLY;
    if (dialect == SOCKETIO && frame->length > 2 && memcmp(payload, "43", 2) == 0) {
        *number = (uint32_t)strtoul((const char *)payload + 2, NULL, 10);
        return REPLY;
    }
    if (dialect == CENTRIFUGE && speech_starts(frame, "{\"id\":")) {
        *number = (uint32_t)strtoul((const char *)payload + 6, NULL, 10) - CENTRIFUGE_ID_BASE;
        return speech_holds(frame, "\"error\":") ? FAILURE : REPLY;
    }
    return OTHER;
}

/* A frame with a mark is somebody's message, since no reply holds one but XMPP's, whose errors bring the message back.
 * `mark_at` remembers where the last one stood. */
static inline enum heard speech_hear(const struct frame *frame, enum dialect dialect, size_t *mark_at, uint32_t *number)
{
    const unsigned char *payload = frame->payload, *mark = payload + *mark_at;
    if (*mark_at + MARK_BYTES > frame->length || memcmp(mark, MARK, SIGN_BYTES) != 0)
        mark = memmem(payload, frame->length, MARK, SIGN_BYTES);
    if (mark && (size_t)(mark - payload) + MARK_BYTES <= frame->length) {
        *mark_at = (size_t)(mark - payload);
        *number = 0;
        for (int i = SIGN_BYTES; i < MARK_BYTES; i++)
            *number = *number << 4 | (uint32_t)(mark[i] <= '9' ? mark[i] - '0' : mark[i] - 'a' + 10);
        return dialect == XMPP && speech_holds(frame, "type='error'") ? FAILURE : DELIVERY;
    }
    return speech_reply(frame, dialect, number);
}

/* What a connection hears before it is ready: the server's first frame and a reply to each command of its hello. */
static inline int speech_greets(const struct frame *frame, enum dialect dialect)
{
    uint32_t number;
    if (dialect == MSGPACK && memmem(frame->payload, frame->length, "\xa7welcome", 8))
        return 1;
    if (dialect == SOCKETIO && frame->length > 0 && (frame->payload[0] == '0' || memcmp(frame->payload, "40", 2) == 0))
        return 1;
    if (dialect == XMPP) /* one is in a room when one's own presence has come, XEP-0045 section 7.2.2 */
        return speech_holds(frame, "<status code='110'/>");
    return speech_reply(frame, dialect, &number) == REPLY;
}

/* What a server gets that asks whether somebody is still there, or NULL; it is no news. WebSocket's own pings are
 * answered elsewhere. */
static inline const char *speech_sign_of_life(const struct frame *frame, enum dialect dialect)
{
    if (dialect == SOCKETIO && frame->length == 1 && frame->payload[0] == '2')
        return "3";
    return dialect == CENTRIFUGE && frame->length == 2 && speech_starts(frame, "{}") ? "{}" : NULL;
}

#endif
