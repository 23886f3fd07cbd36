/* What the member program is asked to be: its command line. */
#ifndef HUBCHAT_LOAD_PLAN_H
#define HUBCHAT_LOAD_PLAN_H

#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PORTS_MOST = 16 };
enum dialect { PLAIN, MSGPACK, SOCKETIO, CENTRIFUGE, XMPP };

struct bytes {
    unsigned char *at;
    size_t size;
};

/* Several of a kind, which take turns; in a file each stands after its size, a u32 with its lowest byte first. */
struct pack {
    struct bytes *items;
    int count;
};

struct role {
    const char *path;
    struct pack hellos; /* masked frames, said right after the upgrade */
    int greetings; /* how many frames make it ready: the server's first words and the replies to its hello */
};

struct plan {
    int ports[PORTS_MOST], ports_count; /* of the nodes: readers take turns, senders are at the first */
    int readers, senders, opening_most;
    int first; /* the turn of the first reader: those before it are another process's */
    int copies; /* how many readers hear a message: all, where there is but one room */
    int replays; /* entries that a reader gets before it is ready */
    uint32_t messages_most; /* of a run, which fails beyond them */
    enum dialect dialect;
    const char *subprotocol;
    struct role reader, sender;
    struct pack messages; /* the payload of one message, for each room */
    char **headers;
    int headers_count;
};

static inline struct bytes plan_file(const char *name)
{
    FILE *file = fopen(name, "rb");
    if (!file || fseek(file, 0, SEEK_END)) {
        perror(name);
        exit(2);
    }
    size_t size = (size_t)ftell(file);
    rewind(file);
    struct bytes bytes = {malloc(size + 1), 0};
    bytes.size = fread(bytes.at, 1, size, file);
    bytes.at[bytes.size] = 0;
    fclose(file);
    return bytes;
}

static inline struct pack plan_pack(const char *name)
{
    struct bytes file = plan_file(name);
    struct pack pack = {NULL, 0};
    for (unsigned char *at = file.at, *end = file.at + file.size; end - at >= 4;) {
        size_t size = at[0] | (size_t)at[1] << 8 | (size_t)at[2] << 16 | (size_t)at[3] << 24;
        pack.items = realloc(pack.items, (size_t)(pack.count + 1) * sizeof *pack.items);
        pack.items[pack.count++] = (struct bytes){at + 4, size};
        at += 4 + size;
    }
    return pack;
}

static inline void plan_headers(struct plan *plan, const char *name)
{
    for (char *line = strtok((char *)plan_file(name).at, "\n"); line; line = strtok(NULL, "\n")) {
        plan->headers = realloc(plan->headers, (size_t)(plan->headers_count + 1) * sizeof *plan->headers);
        plan->headers[plan->headers_count++] = line;
    }
}

static inline enum dialect plan_dialect(const char *name)
{
    static const char *const NAMES[] = {"plain", "msgpack", "socketio", "centrifuge", "xmpp"};
    for (int dialect = PLAIN; dialect <= XMPP; dialect++)
        if (strcmp(name, NAMES[dialect]) == 0)
            return (enum dialect)dialect;
    fprintf(stderr, "member: no such dialect: %s\n", name);
    exit(2);
}

static inline struct plan plan_read(int argc, char **argv)
{
    static const struct option OPTIONS[] = {
        {"port", 1, 0, 'p'}, {"subprotocol", 1, 0, 's'}, {"headers", 1, 0, 'h'}, {"dialect", 1, 0, 'd'},
        {"opening", 1, 0, 'o'}, {"message", 1, 0, 'm'}, {"readers", 1, 0, 'r'}, {"senders", 1, 0, 'S'},
        {"reader-path", 1, 0, 1}, {"reader-hello", 1, 0, 2}, {"reader-greetings", 1, 0, 3},
        {"sender-path", 1, 0, 4}, {"sender-hello", 1, 0, 5}, {"sender-greetings", 1, 0, 6},
        {"copies", 1, 0, 7}, {"replays", 1, 0, 8}, {"messages-most", 1, 0, 9}, {"first", 1, 0, 10}, {0, 0, 0, 0}};
    struct plan plan = {.reader.path = "/", .sender.path = "/", .opening_most = 64};
    for (int option; (option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;) {
        switch (option) {
        case 'p': plan.ports[plan.ports_count++ % PORTS_MOST] = atoi(optarg); break;
        case 's': plan.subprotocol = optarg; break;
        case 'h': plan_headers(&plan, optarg); break;
        case 'd': plan.dialect = plan_dialect(optarg); break;
        case 'o': plan.opening_most = atoi(optarg); break;
        case 'm': plan.messages = plan_pack(optarg); break;
        case 'r': plan.readers = atoi(optarg); break;
        case 'S': plan.senders = atoi(optarg); break;
        case 1: plan.reader.path = optarg; break;
        case 2: plan.reader.hellos = plan_pack(optarg); break;
        case 3: plan.reader.greetings = atoi(optarg); break;
        case 4: plan.sender.path = optarg; break;
        case 5: plan.sender.hellos = plan_pack(optarg); break;
        case 6: plan.sender.greetings = atoi(optarg); break;
        case 7: plan.copies = atoi(optarg); break;
        case 8: plan.replays = atoi(optarg); break;
        case 9: plan.messages_most = (uint32_t)atoi(optarg); break;
        case 10: plan.first = atoi(optarg); break;
        default: exit(2);
        }
    }
    return plan;
}

#endif
