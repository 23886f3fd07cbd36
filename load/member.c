/* Thousands of virtual members in one epoll process: connects them, says their hello, then sends messages with a fixed
 * number in flight and counts what every reader gets. Python drives it: a line of JSON out for each event, a command a
 * line in: "run IN_FLIGHT_EACH WARMUP_S SECONDS until-delivered|until-acked"; it ends with its standard input. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>

#include "native/crowd.h"
#include "native/tally.h"

enum { FLIGHT = 1 << 16, OPEN_US_MOST = 120000000, DRAIN_US_MOST = 5000000 };

struct message {
    uint32_t number;
    int sender, readers_left, acked, open;
    uint64_t sent_us;
};

static struct message flight[FLIGHT]; /* by number, the newest FLIGHT */
static struct tally tally;
static int window, until_delivered, running, measuring;
static uint32_t next_number = 1;
static uint64_t in_flight;

static void send_message(struct member *m)
{
    uint32_t number = next_number++;
    flight[number % FLIGHT] = (struct message){number, m->number, plan.readers, plan.dialect == PLAIN, 1, now_us};
    speech_number(plan.message.at, plan.message.size, plan.dialect, number);
    say(m, plan.dialect == SOCKETIO ? TEXT : BINARY, plan.message.at, plan.message.size);
    m->in_flight++;
    in_flight++;
}

static void send_what_fits(void)
{
    for (int i = plan.readers; running && i < count; i++) {
        struct member *m = &members[i];
        int room = m->phase == READY ? window - m->in_flight : 0;
        for (int n = 0; n < room; n++)
            send_message(m);
        if (room > 0)
            flush(m);
    }
}

static void close_message(struct message *message)
{
    int done = message->acked && (message->readers_left <= 0 || !until_delivered);
    if (!done || !message->open)
        return;
    message->open = 0;
    members[message->sender].in_flight--;
    in_flight--;
    tally.messages += (uint64_t)measuring;
}

static void take_reply(uint32_t number, int failed)
{
    struct message *message = &flight[number % FLIGHT];
    if (message->number != number || message->acked)
        return;
    message->acked = 1;
    if (failed) {
        tally.errors++;
        message->readers_left = 0;
    }
    if (measuring)
        histogram_add(&tally.reply, now_us - message->sent_us);
    close_message(message);
}

static void take_delivery(struct member *m, const struct frame *frame, uint32_t number)
{
    struct message *message = &flight[number % FLIGHT];
    if (message->number != number)
        return; /* of an earlier run, or over FLIGHT messages late: `missing` tells */
    uint32_t *last = &m->last_of[message->sender - plan.readers];
    tally.doubled += *last == number || message->readers_left <= 0;
    tally.out_of_order += *last > number;
    *last = number > *last ? number : *last;
    message->readers_left--;
    if (measuring) {
        tally.deliveries++;
        tally.bytes += frame->total;
        histogram_add(&tally.delivery, now_us - message->sent_us);
    }
    close_message(message);
}

static void hear(struct member *m, const struct frame *frame)
{
    static size_t mark_at;
    uint32_t number = 0;
    enum heard heard = speech_hear(frame, plan.dialect, &mark_at, &number);
    if (heard == DELIVERY && !is_sender(m))
        take_delivery(m, frame, number);
    else if (heard == REPLY || heard == FAILURE)
        take_reply(number, heard == FAILURE);
    else
        tally.others += (uint64_t)measuring;
}

static void turn(int wait_ms)
{
    listen_to_all(wait_ms);
    send_what_fits();
}

static void turn_until(uint64_t end_us)
{
    while (clock_us() < end_us)
        turn(10);
}

static void event(const char *name)
{
    printf("{\"event\": \"%s\"}\n", name);
    fflush(stdout);
}

static uint64_t count_missing(void)
{
    uint64_t missing = 0;
    for (int i = 0; i < FLIGHT; i++)
        missing += flight[i].readers_left > 0 ? (uint64_t)flight[i].readers_left : 0;
    return missing;
}

static void run(double warmup_s, double seconds)
{
    memset(&tally, 0, sizeof tally);
    memset(flight, 0, sizeof flight);
    for (int i = 0; i < count; i++)
        members[i].in_flight = 0;
    in_flight = 0;
    running = 1;
    now_us = clock_us();
    turn_until(now_us + (uint64_t)(warmup_s * 1e6));
    event("start");
    measuring = 1;
    uint64_t start_us = clock_us();
    turn_until(start_us + (uint64_t)(seconds * 1e6));
    uint64_t end_us = clock_us();
    measuring = running = 0;
    event("end");
    for (uint64_t stop_us = end_us + DRAIN_US_MOST; (in_flight || count_missing()) && clock_us() < stop_us;)
        turn(10);
    tally_print(&tally, (double)(end_us - start_us) / 1e6, count_missing());
}

static void connect_all(void)
{
    uint64_t start_us = clock_us(), stop_us = start_us + OPEN_US_MOST;
    open_next();
    while (ready + lost < count && clock_us() < stop_us)
        turn(10);
    printf("{\"event\": \"ready\", \"ready\": %d, \"lost\": %d, \"seconds\": %.6f}\n", ready, lost, (double)(clock_us() - start_us) / 1e6);
    fflush(stdout);
}

/* Between runs members still read and answer pings, so standard input is one more thing that epoll watches. */
static int next_command(char *line, size_t size)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.u32 = STDIN_MARK};
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, STDIN_FILENO, &event);
    for (;;) {
        struct timeval none = {0, 0};
        fd_set waiting;
        FD_ZERO(&waiting);
        FD_SET(STDIN_FILENO, &waiting);
        if (select(STDIN_FILENO + 1, &waiting, NULL, NULL, &none) > 0)
            return fgets(line, (int)size, stdin) != NULL;
        turn(1000);
    }
}

int main(int argc, char **argv)
{
    char line[256], until[32];
    double warmup_s, seconds;
    plan = plan_read(argc, argv);
    crowd_open();
    connect_all();
    while (next_command(line, sizeof line) && sscanf(line, "run %d %lf %lf %31s", &window, &warmup_s, &seconds, until) == 4) {
        until_delivered = strcmp(until, "until-delivered") == 0;
        run(warmup_s, seconds);
    }
    return 0;
}
