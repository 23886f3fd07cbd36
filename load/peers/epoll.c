/* The floor: a WebSocket broadcast server that does nothing else. What arrives in one turn of epoll becomes one
 * write to each reader. No rights, no numbers, no database. Usage: epoll PORT; connections to /send are not readers. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../native/accept.h"
#include "../native/frames.h"

enum { CONNECTIONS_MOST = 20000, TURN_BYTES_MOST = 1 << 20, READ_BYTES = 1 << 16 };

struct connection {
    int fd, open, reader_at; /* reader_at: its place in readers, or -1 */
    unsigned char *in, *out; /* an unfinished frame; what the socket did not take */
    size_t in_size, out_size;
};

static struct connection *connections[CONNECTIONS_MOST], *readers[CONNECTIONS_MOST];
static int readers_count, epoll_fd;
static unsigned char turn[TURN_BYTES_MOST], buffer[READ_BYTES * 2];
static size_t turn_size;

static void leave(struct connection *c)
{
    if (c->reader_at >= 0) {
        readers[c->reader_at] = readers[--readers_count];
        readers[c->reader_at]->reader_at = c->reader_at;
    }
    close(c->fd);
    connections[c->fd] = NULL;
    free(c->in);
    free(c->out);
    free(c);
}

static void watch(struct connection *c, uint32_t events, int how)
{
    struct epoll_event event = {.events = events, .data.fd = c->fd};
    epoll_ctl(epoll_fd, how, c->fd, &event);
}

/* What the socket does not take waits for EPOLLOUT; a reader that is TURN_BYTES_MOST behind is cut off. */
static void deliver(struct connection *c, const unsigned char *bytes, size_t size)
{
    ssize_t sent = c->out_size ? 0 : send(c->fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent == (ssize_t)size)
        return;
    size_t rest = size - (sent < 0 ? 0 : (size_t)sent);
    if (c->out_size + rest > TURN_BYTES_MOST) {
        shutdown(c->fd, SHUT_RDWR);
        return;
    }
    c->out = realloc(c->out, c->out_size + rest);
    memcpy(c->out + c->out_size, bytes + size - rest, rest);
    c->out_size += rest;
    watch(c, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
}

static void flush(struct connection *c)
{
    ssize_t sent = send(c->fd, c->out, c->out_size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent <= 0)
        return;
    c->out_size -= (size_t)sent;
    memmove(c->out, c->out + sent, c->out_size);
    if (c->out_size == 0)
        watch(c, EPOLLIN, EPOLL_CTL_MOD);
}

static void end_turn(void)
{
    for (int i = 0; turn_size && i < readers_count; i++)
        deliver(readers[i], turn, turn_size);
    turn_size = 0;
}

static size_t shake_hands(struct connection *c, char *bytes, size_t size)
{
    char *end = memmem(bytes, size, "\r\n\r\n", 4), *key;
    if (!end)
        return 0;
    char accept[32], reply[256];
    if (!(key = strcasestr(bytes, "sec-websocket-key: "))) {
        shutdown(c->fd, SHUT_RDWR);
        return size;
    }
    websocket_accept(key + 19, accept);
    int length = snprintf(reply, sizeof reply,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", accept);
    deliver(c, (unsigned char *)reply, (size_t)length);
    c->open = 1;
    if (strncmp(bytes, "GET /send ", 10) != 0) {
        c->reader_at = readers_count;
        readers[readers_count++] = c;
    }
    return (size_t)(end + 4 - bytes);
}

static size_t take_frame(struct connection *c, unsigned char *bytes, size_t size)
{
    struct frame frame;
    if (!frame_parse(bytes, size, &frame))
        return 0;
    if (frame.opcode == CLOSE)
        shutdown(c->fd, SHUT_RDWR);
    if (frame.opcode != TEXT && frame.opcode != BINARY)
        return frame.total;
    if (turn_size + frame.length + HEAD_BYTES_MOST > TURN_BYTES_MOST)
        end_turn();
    turn_size += frame_head(turn + turn_size, frame.opcode, frame.length, 0);
    memcpy(turn + turn_size, frame.payload, frame.length);
    turn_size += frame.length;
    return frame.total;
}

static void read_from(struct connection *c)
{
    memcpy(buffer, c->in, c->in_size);
    ssize_t got = recv(c->fd, buffer + c->in_size, READ_BYTES, MSG_DONTWAIT);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN)
            leave(c);
        return;
    }
    size_t size = c->in_size + (size_t)got, at = 0, taken = 1;
    buffer[size] = 0;
    while (at < size && taken) {
        taken = c->open ? take_frame(c, buffer + at, size - at) : shake_hands(c, (char *)buffer + at, size - at);
        at += taken;
    }
    c->in_size = size - at;
    if (c->in_size >= READ_BYTES) { /* no load tool sends a frame this long */
        leave(c);
        return;
    }
    c->in = realloc(c->in, c->in_size + 1);
    memcpy(c->in, buffer + at, c->in_size);
}

static void welcome(int listener)
{
    int fd, yes = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        if (fd >= CONNECTIONS_MOST) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        struct connection *c = connections[fd] = calloc(1, sizeof *c);
        c->fd = fd;
        c->reader_at = -1;
        watch(c, EPOLLIN, EPOLL_CTL_ADD);
    }
}

static int listen_on(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), yes = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096)) {
        perror("epoll: listen");
        exit(1);
    }
    return listener;
}

int main(int argc, char **argv)
{
    struct rlimit files = {CONNECTIONS_MOST, CONNECTIONS_MOST};
    setrlimit(RLIMIT_NOFILE, &files);
    int listener = listen_on(argc > 1 ? atoi(argv[1]) : 0);
    struct epoll_event events[512], event = {.events = EPOLLIN, .data.fd = listener};
    epoll_fd = epoll_create1(0);
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int count = epoll_wait(epoll_fd, events, 512, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                welcome(listener);
                continue;
            }
            if (connections[fd] && events[i].events & EPOLLOUT)
                flush(connections[fd]);
            if (connections[fd] && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                read_from(connections[fd]);
        }
        end_turn();
    }
}
