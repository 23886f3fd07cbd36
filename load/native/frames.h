/* WebSocket frames as RFC 6455 section 5.2 lays them out, only as far as the load tools need:
 * whole frames, no extensions. Everything is static inline, so each tool is one compiler call. */
#ifndef HUBCHAT_LOAD_FRAMES_H
#define HUBCHAT_LOAD_FRAMES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };
enum { HEAD_BYTES_MOST = 14 };

struct frame {
    unsigned opcode;
    unsigned char *payload;
    size_t length;
    size_t total; /* head and payload */
};

/* An unpredictable key matters against proxies, not on loopback; it is only not zero, since some servers skip
 * unmasking when it is. */
static const unsigned char MASK_KEY[4] = {0x37, 0xfa, 0x21, 0x3d};

static inline void frame_mask(unsigned char *payload, size_t length, const unsigned char key[4])
{
    for (size_t i = 0; i < length; i++)
        payload[i] ^= key[i & 3];
}

/* Reads one frame from the start of `bytes` and unmasks it in place; 0 when it is not whole yet. */
static inline int frame_parse(unsigned char *bytes, size_t size, struct frame *frame)
{
    if (size < 2)
        return 0;
    size_t head = 2;
    uint64_t length = bytes[1] & 0x7f;
    if (length >= 126) {
        size_t width = length == 126 ? 2 : 8;
        if (size < 2 + width)
            return 0;
        length = 0;
        for (size_t i = 0; i < width; i++)
            length = length << 8 | bytes[2 + i];
        head += width;
    }
    int masked = bytes[1] & 0x80;
    head += masked ? 4 : 0;
    if (size < head || size - head < length)
        return 0;
    frame->opcode = bytes[0] & 0x0f;
    frame->payload = bytes + head;
    frame->length = length;
    frame->total = head + length;
    if (masked)
        frame_mask(frame->payload, length, frame->payload - 4);
    return 1;
}

/* Writes a final frame's head, with MASK_KEY when `masked`; returns its bytes. */
static inline size_t frame_head(unsigned char *out, unsigned opcode, size_t length, int masked)
{
    size_t width = length < 126 ? 0 : length < 65536 ? 2 : 8;
    out[0] = (unsigned char)(0x80 | opcode);
    out[1] = (unsigned char)((masked ? 0x80 : 0) | (width == 0 ? length : width == 2 ? 126 : 127));
    for (size_t i = 0; i < width; i++)
        out[2 + i] = (unsigned char)(length >> 8 * (width - 1 - i));
    if (masked)
        memcpy(out + 2 + width, MASK_KEY, 4);
    return 2 + width + (masked ? 4 : 0);
}

#endif
