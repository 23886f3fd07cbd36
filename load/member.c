/* Thousands of virtual members in one epoll process: connects them, says their hello, then sends messages with a fixed
 * number in flight and counts what every reader gets. Python drives it: a line of JSON out for each event, a command a
 * line in; it ends with its standard input.
 *   run IN_FLIGHT_EACH WARMUP_S SECONDS until-delivered|until-acked
 *   say COUNT IN_FLIGHT_EACH        so many messages in all, until each is acknowledged
 *   stall                           no reader reads any more
 *   read READERS SEQ SECONDS        the first readers read again, until they have that entry of their only channel */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>

#include "native/crowd.h"
#include "native/tally.h"

enum { OPEN_US_MOST = 120000000, DRAIN_US_MOST = 5000000 };

struct message {
    int sender, readers_left, acked, failed, open;
    uint64_t sent_us;
};

static struct message *flight; /* all of this run, or a copy that never came would be forgotten */
static struct tally tally;
static int window, until_delivered, running, measuring;
static uint32_t next_number = 1, first_number = 1, end_number = UINT32_MAX;
static uint64_t in_flight, copies_left; /* copies that readers have yet to get */
static int lost_before;

/* The message of this run that has that number; NULL for one of an earlier run, whose `missing` told. */
static struct message *message_of(uint32_t number)
{
    return number >= first_number && number < next_number ? &flight[number - first_number] : NULL;
}

static void send_message(struct member *m)
{
    uint32_t number = next_number++;
    if (number - first_number >= plan.messages_most) {
        fprintf(stderr, "member: a run of more than %u messages can't be followed\n", plan.messages_most);
        exit(3);
    }
    struct bytes *message = &plan.messages.items[number % (uint32_t)plan.messages.count];
    flight[number - first_number] = (struct message){m->number, plan.copies, plan.dialect == PLAIN, 0, 1, now_us};
    copies_left += (uint64_t)plan.copies;
    speech_number(message->at, message->size, plan.dialect, number);
    say(m, speech_opcode(plan.dialect), message->at, message->size);
    m->in_flight++;
    in_flight++;
}

static void send_what_fits(void)
{
    for (int i = plan.readers; running && i < count; i++) {
        struct member *m = &members[i];
        int room = m->phase == READY ? window - m->in_flight : 0;
        for (int n = 0; n < room && next_number < end_number; n++)
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
    tally.messages += (uint64_t)(measuring && !message->failed);
}

static void take_reply(uint32_t number, int failed)
{
    struct message *message = message_of(number);
    if (!message || message->acked)
        return;
    message->acked = 1;
    message->failed = failed;
    if (failed) {
        tally.errors++;
        copies_left -= (uint64_t)(message->readers_left > 0 ? message->readers_left : 0);
        message->readers_left = 0;
    } else if (measuring)
        histogram_add(&tally.reply, now_us - message->sent_us);
    close_message(message);
}

static void take_delivery(struct member *m, const struct frame *frame, uint32_t number)
{
    struct message *message = message_of(number);
    if (!message)
        return;
    uint32_t *last = &m->last_of[message->sender - plan.readers];
    tally.doubled += *last == number || message->readers_left <= 0;
    tally.out_of_order += *last > number && plan.messages.count == 1; /* between rooms no order is promised */
    *last = number > *last ? number : *last;
    copies_left -= message->readers_left > 0;
    message->readers_left--;
    if (measuring) {
        tally.deliveries++;
        tally.bytes += frame->total;
        histogram_add(&tally.delivery, now_us - message->sent_us);
    }
    close_message(message);
}

/* In a room of XMPP senders hear everybody, and of their own that it is archived. */
static int is_own(const struct member *m, uint32_t number)
{
    const struct message *message = message_of(number);
    return message && message->sender == m->number;
}

static void hear(struct member *m, const struct frame *frame)
{
    static size_t mark_at;
    uint32_t number = 0;
    enum heard heard = speech_hear(frame, plan.dialect, &mark_at, &number);
    if (heard == DELIVERY && plan.dialect == MSGPACK)
        places_note(&m->places, frame);
    if (heard == DELIVERY && !is_sender(m))
        take_delivery(m, frame, number);
    else if (heard == REPLY || heard == FAILURE || (heard == DELIVERY && plan.dialect == XMPP && is_own(m, number)))
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

/* Once nothing more is to come: messages that nobody answered and members that were cut off are errors too. */
static void close_tally(void)
{
    for (uint32_t number = first_number; number < next_number; number++)
        tally.errors += !flight[number - first_number].acked;
    tally.errors += (uint64_t)(lost - lost_before);
    tally.missing = copies_left;
    tally.gaps = slips.gaps;
    tally.doubled += slips.doubled;
    tally.out_of_order += slips.out_of_order;
}

static void begin(void)
{
    memset(&tally, 0, sizeof tally);
    memset(&slips, 0, sizeof slips);
    memset(flight, 0, plan.messages_most * sizeof *flight);
    for (int i = 0; i < count; i++)
        members[i].in_flight = 0;
    in_flight = copies_left = 0;
    first_number = next_number;
    lost_before = lost;
    running = 1;
    now_us = clock_us();
}

static void drain(uint64_t stop_us)
{
    while ((in_flight || copies_left) && clock_us() < stop_us)
        turn(10);
}

static void run(double warmup_s, double seconds)
{
    begin();
    turn_until(now_us + (uint64_t)(warmup_s * 1e6));
    event("start");
    measuring = 1;
    uint64_t start_us = clock_us();
    turn_until(start_us + (uint64_t)(seconds * 1e6));
    uint64_t end_us = clock_us();
    measuring = running = 0;
    event("end");
    drain(end_us + DRAIN_US_MOST);
    close_tally();
    tally_print(&tally, (double)(end_us - start_us) / 1e6);
}

static void say_all(uint32_t messages)
{
    begin();
    event("start");
    measuring = 1;
    uint64_t start_us = clock_us();
    end_number = next_number + messages;
    while ((next_number < end_number || in_flight) && clock_us() < start_us + OPEN_US_MOST)
        turn(10);
    measuring = running = 0;
    end_number = UINT32_MAX;
    uint64_t end_us = clock_us();
    event("end");
    drain(end_us + DRAIN_US_MOST);
    close_tally();
    tally_print(&tally, (double)(end_us - start_us) / 1e6);
}

static void stall(void)
{
    for (int i = 0; i < plan.readers; i++)
        if (members[i].phase == READY)
            watch(&members[i], 0, EPOLL_CTL_MOD);
    event("stalled");
}

static int count_behind(int readers, uint64_t seq)
{
    int behind = 0;
    for (int i = 0; i < readers; i++)
        behind += members[i].places.count != 1 || members[i].places.at[0].seq < seq;
    return behind;
}

static void read_again(int readers, uint64_t seq, double seconds)
{
    uint64_t start_us = clock_us(), stop_us = start_us + (uint64_t)(seconds * 1e6);
    for (int i = 0; i < readers; i++)
        if (members[i].phase == READY)
            watch(&members[i], EPOLLIN, EPOLL_CTL_MOD);
    while (count_behind(readers, seq) && clock_us() < stop_us)
        turn(10);
    printf("{\"event\": \"read\", \"seconds\": %.6f, \"behind\": %d, \"lost\": %d, ", (double)(clock_us() - start_us) / 1e6, count_behind(readers, seq), lost);
    printf("\"doubled\": %lu, \"gaps\": %lu, \"out_of_order\": %lu}\n", slips.doubled, slips.gaps, slips.out_of_order);
    fflush(stdout);
}

static void connect_all(void)
{
    uint64_t start_us = clock_us(), stop_us = start_us + OPEN_US_MOST;
    open_next();
    while (ready + lost < count && clock_us() < stop_us)
        turn(10);
    printf("{\"event\": \"ready\", \"ready\": %d, \"lost\": %d, \"seconds\": %.6f, ", ready, lost, (double)(clock_us() - start_us) / 1e6);
    printf("\"doubled\": %lu, \"gaps\": %lu, \"out_of_order\": %lu}\n", slips.doubled, slips.gaps, slips.out_of_order);
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

static int obey(const char *line)
{
    char until[32] = "";
    double warmup_s, seconds;
    uint32_t messages;
    uint64_t seq;
    int readers;
    until_delivered = 0;
    if (sscanf(line, "run %d %lf %lf %31s", &window, &warmup_s, &seconds, until) == 4) {
        until_delivered = strcmp(until, "until-delivered") == 0;
        run(warmup_s, seconds);
    } else if (sscanf(line, "say %u %d", &messages, &window) == 2) {
        say_all(messages);
    } else if (sscanf(line, "read %d %lu %lf", &readers, &seq, &seconds) == 3) {
        read_again(readers, seq, seconds);
    } else if (strncmp(line, "stall", 5) == 0) {
        stall();
    } else {
        return 0;
    }
    return 1;
}

int main(int argc, char **argv)
{
    char line[256];
    plan = plan_read(argc, argv);
    flight = calloc(plan.messages_most, sizeof *flight);
    crowd_open();
    connect_all();
    while (next_command(line, sizeof line) && obey(line))
        ;
    return 0;
}
