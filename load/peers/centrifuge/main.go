// Centrifugo's engine in a server that lets everybody in, subscribe and publish. Usage: centrifuge PORT GATHER_MS.
package main

import (
	"context"
	"log"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/centrifugal/centrifuge"
)

// What Centrifugo's documentation says for many connections: small read buffers, write buffers that are shared, and
// stacks that are given back after each command.
var websocket = centrifuge.WebsocketConfig{
	ReadBufferSize:             512,
	UseWriteBufferPool:         true,
	ProcessCommandsOffReadLoop: true,
}

// Everything that waits for a reader goes out in one frame. Messages that are gathered for a while, 0 for none, need no
// goroutine of their own to be written.
func welcome(gather time.Duration) centrifuge.ConnectReply {
	return centrifuge.ConnectReply{MaxMessagesInFrame: -1, WriteDelay: gather, WriteWithTimer: gather > 0}
}

func main() {
	gatherMs, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	reply := welcome(time.Duration(gatherMs) * time.Millisecond)
	node, err := centrifuge.New(centrifuge.Config{})
	if err != nil {
		log.Fatal(err)
	}
	node.OnConnecting(func(context.Context, centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		return reply, nil
	})
	node.OnConnect(func(client *centrifuge.Client) {
		client.OnSubscribe(func(_ centrifuge.SubscribeEvent, allow centrifuge.SubscribeCallback) {
			allow(centrifuge.SubscribeReply{}, nil)
		})
		client.OnPublish(func(_ centrifuge.PublishEvent, allow centrifuge.PublishCallback) {
			allow(centrifuge.PublishReply{}, nil)
		})
	})
	if err := node.Run(); err != nil {
		log.Fatal(err)
	}
	anybody := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
			known := centrifuge.SetCredentials(request.Context(), &centrifuge.Credentials{})
			next.ServeHTTP(answer, request.WithContext(known))
		})
	}
	http.Handle("/connection/websocket", anybody(centrifuge.NewWebsocketHandler(node, websocket)))
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
