/* What a run counted: latencies in log-linear buckets (within 2 % of the true value), printed as one JSON line. */
#ifndef HUBCHAT_LOAD_TALLY_H
#define HUBCHAT_LOAD_TALLY_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { STEPS = 64, BUCKETS = STEPS * 40 };

struct histogram {
    uint64_t count, buckets[BUCKETS];
};

struct tally {
    uint64_t messages, deliveries, bytes, others, errors, out_of_order, doubled, missing, gaps;
    struct histogram reply, delivery;
};

static inline void histogram_add(struct histogram *histogram, uint64_t us)
{
    int shift = us < STEPS ? 0 : 63 - __builtin_clzll(us) - 6;
    uint64_t bucket = us < STEPS ? us : (uint64_t)(shift + 1) * STEPS + ((us >> shift) & (STEPS - 1));
    histogram->buckets[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
    histogram->count++;
}

static inline double histogram_ms(const struct histogram *histogram, double share)
{
    uint64_t wanted = (uint64_t)((double)histogram->count * share), seen = 0;
    for (uint64_t bucket = 0; bucket < BUCKETS; bucket++) {
        seen += histogram->buckets[bucket];
        if (seen > wanted)
            return (double)(bucket < STEPS ? bucket : (STEPS + bucket % STEPS) << (bucket / STEPS - 1)) / 1000;
    }
    return 0;
}

static inline void tally_print(const struct tally *tally, double seconds)
{
    printf("{\"event\": \"result\", \"seconds\": %.6f, \"messages\": %lu, \"deliveries\": %lu, \"bytes\": %lu, \"others\": %lu, ",
        seconds, tally->messages, tally->deliveries, tally->bytes, tally->others);
    printf("\"errors\": %lu, \"out_of_order\": %lu, \"doubled\": %lu, \"missing\": %lu, \"gaps\": %lu, ",
        tally->errors, tally->out_of_order, tally->doubled, tally->missing, tally->gaps);
    printf("\"reply_ms\": {\"p50\": %.3f, \"p99\": %.3f}, \"delivery_ms\": {\"p50\": %.3f, \"p99\": %.3f}}\n",
        histogram_ms(&tally->reply, 0.5), histogram_ms(&tally->reply, 0.99),
        histogram_ms(&tally->delivery, 0.5), histogram_ms(&tally->delivery, 0.99));
    fflush(stdout);
}

#endif
