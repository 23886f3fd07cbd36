/* Where a reader of hubchat stands in each channel: hubchat numbers a channel's entries, so what is missing between two,
 * comes twice or comes late shows with the next one. */
#ifndef HUBCHAT_LOAD_PLACES_H
#define HUBCHAT_LOAD_PLACES_H

#include <stdint.h>
#include <stdlib.h>

#include "frames.h"

struct place {
    uint64_t channel, seq;
};

struct places {
    struct place *at;
    int count;
};

static struct slips {
    uint64_t doubled, gaps, out_of_order;
} slips;

/* A whole number after `key`, which begins with its own length; 0 where there is none. */
static inline uint64_t places_number(const struct frame *frame, const char *key, size_t size)
{
    const unsigned char *end = frame->payload + frame->length, *at = memmem(frame->payload, frame->length, key, size);
    if (!at || (at += size) >= end)
        return 0;
    if (*at < 0x80)
        return *at;
    int width = *at >= 0xcc && *at <= 0xcf ? 1 << (*at - 0xcc) : 0;
    uint64_t number = 0;
    for (int i = 1; i <= width && at + i < end; i++)
        number = number << 8 | at[i];
    return number;
}

static inline void places_note(struct places *places, const struct frame *frame)
{
    uint64_t channel = places_number(frame, "\xa7" "channel", 8), seq = places_number(frame, "\xa3seq", 4);
    int i = 0;
    while (i < places->count && places->at[i].channel != channel)
        i++;
    if (i == places->count) {
        places->at = realloc(places->at, (size_t)(++places->count) * sizeof *places->at);
        places->at[i] = (struct place){channel, seq};
        return;
    }
    struct place *place = &places->at[i];
    slips.doubled += seq == place->seq;
    slips.out_of_order += seq < place->seq;
    slips.gaps += seq > place->seq ? seq - place->seq - 1 : 0;
    place->seq = seq > place->seq ? seq : place->seq;
}

#endif
