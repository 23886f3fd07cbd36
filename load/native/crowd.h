/* Many members over one epoll: opening them a few at a time, reading whole frames, writing what the socket takes.
 * Who includes it defines `hear`, which gets every frame that a member who is ready hears. */
#ifndef HUBCHAT_LOAD_CROWD_H
#define HUBCHAT_LOAD_CROWD_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "frames.h"
#include "places.h"
#include "plan.h"
#include "speech.h"

enum { READ_BYTES = 1 << 18, REST_BYTES_MOST = 1 << 20, STDIN_MARK = 0 };
enum phase { CLOSED, CONNECTING, SHAKING, GREETED, READY };

struct member {
    int fd, number;
    enum phase phase;
    int greetings_left, replays_left, in_flight;
    struct bytes rest, out; /* an unfinished frame; what the socket did not take */
    uint32_t *last_of; /* by sender: the number of its newest message that this reader has */
    struct places places; /* on hubchat, whose entries have numbers of their own */
};

static struct plan plan;
static struct member *members; /* the readers, then the senders */
static int epoll_fd, count, opened, opening, ready, lost;
static uint64_t now_us; /* when the bytes at hand were read */

static void hear(struct member *m, const struct frame *frame);

static uint64_t clock_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static int is_sender(const struct member *m)
{
    return m->number >= plan.readers;
}

/* Its turn among those of its role, which says whose account it has and what it follows. */
static int turn_of(const struct member *m)
{
    return is_sender(m) ? m->number - plan.readers : m->number + plan.first;
}

static int port_of(const struct member *m)
{
    return plan.ports[is_sender(m) ? 0 : m->number % plan.ports_count];
}

static const struct role *role_of(const struct member *m)
{
    return is_sender(m) ? &plan.sender : &plan.reader;
}

static void watch(struct member *m, uint32_t events, int how)
{
    struct epoll_event event = {.events = events, .data.u32 = (uint32_t)m->number + 1};
    epoll_ctl(epoll_fd, how, m->fd, &event);
}

static void lose(struct member *m)
{
    if (m->phase == CLOSED)
        return;
    opening -= m->phase < READY;
    ready -= m->phase == READY;
    lost++;
    close(m->fd);
    m->phase = CLOSED;
}

static void append(struct bytes *bytes, const unsigned char *more, size_t size)
{
    bytes->at = realloc(bytes->at, bytes->size + size + 1);
    memcpy(bytes->at + bytes->size, more, size);
    bytes->size += size;
}

static void flush(struct member *m)
{
    if (m->phase == CLOSED || m->out.size == 0)
        return;
    ssize_t sent = send(m->fd, m->out.at, m->out.size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN) {
        lose(m);
        return;
    }
    size_t taken = sent < 0 ? 0 : (size_t)sent, before = m->out.size;
    m->out.size -= taken;
    memmove(m->out.at, m->out.at + taken, m->out.size);
    if (m->out.size || taken < before)
        watch(m, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
}

static void say(struct member *m, unsigned opcode, const unsigned char *payload, size_t size)
{
    unsigned char head[HEAD_BYTES_MOST];
    append(&m->out, head, frame_head(head, opcode, size, 1));
    append(&m->out, payload, size);
    frame_mask(m->out.at + m->out.size - size, size, MASK_KEY);
}

/* The hello as it was given, with the member's own number where it says SELF. */
static void say_hello(struct member *m)
{
    const struct pack *hellos = &role_of(m)->hellos;
    if (!hellos->count)
        return;
    const struct bytes *hello = &hellos->items[turn_of(m) % hellos->count];
    unsigned char *copy = malloc(hello->size + 1);
    struct frame frame;
    memcpy(copy, hello->at, hello->size);
    for (size_t at = 0; frame_parse(copy + at, hello->size - at, &frame); at += frame.total) {
        speech_fill(frame.payload, frame.length, SELF, (uint32_t)m->number);
        say(m, frame.opcode, frame.payload, frame.length);
    }
    free(copy);
    flush(m);
}

static void open_next(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int yes = 1;
    while (opened < count && opening < plan.opening_most) {
        struct member *m = &members[opened];
        m->number = opened++;
        address.sin_port = htons((uint16_t)port_of(m));
        m->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        m->phase = CONNECTING;
        m->greetings_left = role_of(m)->greetings;
        m->replays_left = is_sender(m) ? 0 : plan.replays;
        m->last_of = is_sender(m) ? NULL : calloc((size_t)plan.senders + 1, sizeof *m->last_of);
        opening++;
        setsockopt(m->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        watch(m, EPOLLIN | EPOLLOUT, EPOLL_CTL_ADD);
        if (connect(m->fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS)
            lose(m);
    }
}

static void ask_upgrade(struct member *m)
{
    char request[4096];
    int size = snprintf(request, sizeof request,
        "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s%s%s%s%s\r\n",
        role_of(m)->path, port_of(m),
        plan.subprotocol ? "Sec-WebSocket-Protocol: " : "", plan.subprotocol ? plan.subprotocol : "", plan.subprotocol ? "\r\n" : "",
        plan.headers_count ? plan.headers[turn_of(m) % plan.headers_count] : "", plan.headers_count ? "\r\n" : "");
    m->phase = SHAKING;
    append(&m->out, (unsigned char *)request, (size_t)size);
    watch(m, EPOLLIN, EPOLL_CTL_MOD);
    flush(m);
}

static void be_ready(struct member *m)
{
    m->phase = READY;
    opening--;
    ready++;
    open_next();
}

static size_t take_upgrade(struct member *m, char *bytes, size_t size)
{
    char *end = memmem(bytes, size, "\r\n\r\n", 4);
    if (!end)
        return 0;
    if (strncmp(bytes, "HTTP/1.1 101", 12) != 0) {
        fprintf(stderr, "member: refused: %.*s\n", (int)strcspn(bytes, "\r\n"), bytes);
        lose(m);
        return 0;
    }
    m->phase = GREETED;
    say_hello(m);
    if (m->phase == GREETED && m->greetings_left == 0)
        be_ready(m);
    return (size_t)(end + 4 - bytes);
}

/* What a reader missed while it was away, as far as it is hubchat's, which alone has it. */
static void take_replay(struct member *m, const struct frame *frame)
{
    static size_t mark_at;
    uint32_t number;
    if (plan.dialect == MSGPACK && speech_hear(frame, plan.dialect, &mark_at, &number) == DELIVERY) {
        places_note(&m->places, frame);
        m->replays_left--;
    }
}

static void take_frame(struct member *m, const struct frame *frame)
{
    const char *sign = speech_sign_of_life(frame, plan.dialect);
    if (frame->opcode == PING || sign) {
        say(m, sign ? TEXT : PONG, sign ? (const unsigned char *)sign : frame->payload, sign ? strlen(sign) : frame->length);
        flush(m);
    } else if (m->phase == READY) {
        hear(m, frame);
    } else {
        m->greetings_left -= speech_greets(frame, plan.dialect);
        take_replay(m, frame);
        if (m->greetings_left == 0 && m->replays_left <= 0)
            be_ready(m);
    }
}

/* Centrifuge gathers what it has to say into one frame, a line each; each is taken as a frame of its own. */
static void take_lines(struct member *m, const struct frame *frame)
{
    struct frame line = *frame;
    unsigned char *end = frame->payload + frame->length;
    while (line.payload < end && m->phase >= GREETED) {
        unsigned char *newline = memchr(line.payload, '\n', (size_t)(end - line.payload));
        line.length = (size_t)((newline ? newline : end) - line.payload);
        line.total = line.length + (line.payload == frame->payload ? frame->total - frame->length : 1);
        take_frame(m, &line);
        line.payload += line.length + 1;
    }
}

static void read_from(struct member *m)
{
    static unsigned char buffer[REST_BYTES_MOST + READ_BYTES + 1];
    memcpy(buffer, m->rest.at ? m->rest.at : buffer, m->rest.size);
    ssize_t got = recv(m->fd, buffer + m->rest.size, READ_BYTES, MSG_DONTWAIT);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN)
            lose(m);
        return;
    }
    now_us = clock_us();
    size_t size = m->rest.size + (size_t)got, at = 0;
    buffer[size] = 0;
    if (m->phase == SHAKING)
        at = take_upgrade(m, (char *)buffer, size);
    struct frame frame;
    while (m->phase >= GREETED && at < size && frame_parse(buffer + at, size - at, &frame)) {
        if (plan.dialect == CENTRIFUGE && frame.opcode == TEXT)
            take_lines(m, &frame);
        else
            take_frame(m, &frame);
        at += frame.total;
    }
    m->rest.size = 0;
    if (size - at > REST_BYTES_MOST)
        lose(m);
    else if (size > at)
        append(&m->rest, buffer + at, size - at);
}

/* One turn of epoll over everybody. */
static void listen_to_all(int wait_ms)
{
    struct epoll_event events[512];
    int got = epoll_wait(epoll_fd, events, 512, wait_ms);
    for (int i = 0; i < got; i++) {
        struct member *m = &members[events[i].data.u32 - 1];
        if (events[i].data.u32 == STDIN_MARK || m->phase == CLOSED)
            continue;
        if (m->phase == CONNECTING)
            ask_upgrade(m);
        else if (events[i].events & EPOLLOUT) {
            watch(m, EPOLLIN, EPOLL_CTL_MOD);
            flush(m);
        }
        if (m->phase != CLOSED && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            read_from(m);
    }
    now_us = clock_us();
    open_next();
}

static void crowd_open(void)
{
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    count = plan.readers + plan.senders;
    members = calloc((size_t)count, sizeof *members);
    epoll_fd = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.u32 = STDIN_MARK};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &event);
}

#endif
