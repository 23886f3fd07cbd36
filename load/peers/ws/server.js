// Node's ws as its README broadcasts: one send per client and message. Usage: node server.js PORT; /send only sends.
import { WebSocket, WebSocketServer } from "ws";

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: Number(process.argv[2]),
  perMessageDeflate: false,
  backlog: 4096,
});
const readers = new Set();

server.on("connection", (socket, request) => {
  if (request.url !== "/send") {
    readers.add(socket);
    socket.on("close", () => readers.delete(socket));
  }
  socket.on("error", () => socket.terminate());
  socket.on("message", (data, isBinary) => {
    for (const reader of readers)
      if (reader.readyState === WebSocket.OPEN) reader.send(data, { binary: isBinary });
  });
});
