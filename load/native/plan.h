/* What the member program is asked to be: its command line. */
#ifndef HUBCHAT_LOAD_PLAN_H
#define HUBCHAT_LOAD_PLAN_H

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEADERS_MOST = 4096 };
enum dialect { PLAIN, MSGPACK, SOCKETIO };

struct bytes {
    unsigned char *at;
    size_t size;
};

struct role {
    const char *path;
    struct bytes hello; /* masked frames, said right after the upgrade */
    int greetings; /* how many frames make it ready: the server's first words and the replies to its hello */
};

struct plan {
    int port, readers, senders, opening_most;
    enum dialect dialect;
    const char *subprotocol;
    struct role reader, sender;
    struct bytes message; /* the payload of one message */
    char *headers[HEADERS_MOST];
    int headers_count;
};

static inline struct bytes plan_file(const char *name)
{
    struct bytes bytes = {malloc(1 << 20), 0};
    FILE *file = fopen(name, "rb");
    if (!file) {
        perror(name);
        exit(2);
    }
    bytes.size = fread(bytes.at, 1, (1 << 20) - 1, file);
    bytes.at[bytes.size] = 0;
    fclose(file);
    return bytes;
}

static inline void plan_headers(struct plan *plan, const char *name)
{
    for (char *line = strtok((char *)plan_file(name).at, "\n"); line && plan->headers_count < HEADERS_MOST; line = strtok(NULL, "\n"))
        plan->headers[plan->headers_count++] = line;
}

static inline enum dialect plan_dialect(const char *name)
{
    return strcmp(name, "msgpack") == 0 ? MSGPACK : strcmp(name, "socketio") == 0 ? SOCKETIO : PLAIN;
}

static inline struct plan plan_read(int argc, char **argv)
{
    static const struct option OPTIONS[] = {
        {"port", 1, 0, 'p'}, {"subprotocol", 1, 0, 's'}, {"headers", 1, 0, 'h'}, {"dialect", 1, 0, 'd'},
        {"opening", 1, 0, 'o'}, {"message", 1, 0, 'm'}, {"readers", 1, 0, 'r'}, {"senders", 1, 0, 'S'},
        {"reader-path", 1, 0, 1}, {"reader-hello", 1, 0, 2}, {"reader-greetings", 1, 0, 3},
        {"sender-path", 1, 0, 4}, {"sender-hello", 1, 0, 5}, {"sender-greetings", 1, 0, 6}, {0, 0, 0, 0}};
    struct plan plan = {.reader.path = "/", .sender.path = "/", .opening_most = 64};
    for (int option; (option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;) {
        switch (option) {
        case 'p': plan.port = atoi(optarg); break;
        case 's': plan.subprotocol = optarg; break;
        case 'h': plan_headers(&plan, optarg); break;
        case 'd': plan.dialect = plan_dialect(optarg); break;
        case 'o': plan.opening_most = atoi(optarg); break;
        case 'm': plan.message = plan_file(optarg); break;
        case 'r': plan.readers = atoi(optarg); break;
        case 'S': plan.senders = atoi(optarg); break;
        case 1: plan.reader.path = optarg; break;
        case 2: plan.reader.hello = plan_file(optarg); break;
        case 3: plan.reader.greetings = atoi(optarg); break;
        case 4: plan.sender.path = optarg; break;
        case 5: plan.sender.hello = plan_file(optarg); break;
        case 6: plan.sender.greetings = atoi(optarg); break;
        default: exit(2);
        }
    }
    return plan;
}

#endif
