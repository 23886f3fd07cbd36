/* The server's half of the WebSocket handshake: Sec-WebSocket-Accept is base64(SHA-1(key + GUID)), RFC 6455
 * section 4.2.2. SHA-1 after FIPS 180-4, for inputs of one or two blocks only, which a key and the GUID are. */
#ifndef HUBCHAT_LOAD_ACCEPT_H
#define HUBCHAT_LOAD_ACCEPT_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static inline uint32_t rotate_left(uint32_t word, int by)
{
    return word << by | word >> (32 - by);
}

static inline void sha1_block(uint32_t state[5], const unsigned char *block)
{
    static const uint32_t K[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
    uint32_t w[80], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (int t = 0; t < 16; t++)
        w[t] = (uint32_t)block[4 * t] << 24 | block[4 * t + 1] << 16 | block[4 * t + 2] << 8 | block[4 * t + 3];
    for (int t = 16; t < 80; t++)
        w[t] = rotate_left(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
    for (int t = 0; t < 80; t++) {
        uint32_t mix = t < 20 ? (b & c) | (~b & d) : t >= 40 && t < 60 ? (b & c) | (b & d) | (c & d) : b ^ c ^ d;
        uint32_t next = rotate_left(a, 5) + mix + e + K[t / 20] + w[t];
        e = d, d = c, c = rotate_left(b, 30), b = a, a = next;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e;
}

static inline void base64(const unsigned char *bytes, size_t size, char *out)
{
    static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        uint32_t three = (uint32_t)bytes[i] << 16 | (i + 1 < size ? bytes[i + 1] << 8 : 0) | (i + 2 < size ? bytes[i + 2] : 0);
        *out++ = LETTERS[three >> 18 & 63];
        *out++ = LETTERS[three >> 12 & 63];
        *out++ = i + 1 < size ? LETTERS[three >> 6 & 63] : '=';
        *out++ = i + 2 < size ? LETTERS[three & 63] : '=';
    }
    *out = 0;
}

/* `key` is the client's 24 characters; `out` takes 29 bytes. */
static inline void websocket_accept(const char *key, char *out)
{
    unsigned char blocks[128] = {0}, digest[20];
    uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    int size = snprintf((char *)blocks, 64, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    blocks[size] = 0x80;
    blocks[126] = (unsigned char)(size * 8 >> 8); /* 60 bytes and padding: two blocks */
    blocks[127] = (unsigned char)(size * 8);
    sha1_block(state, blocks);
    sha1_block(state, blocks + 64);
    for (int i = 0; i < 20; i++)
        digest[i] = (unsigned char)(state[i / 4] >> 8 * (3 - i % 4));
    base64(digest, 20, out);
}

#endif
