// A room as Socket.IO's chat tutorial builds it: store, emit to the room, acknowledge. SQLite as durable as hubchat's,
// each INSERT its own transaction. Usage: node server.js PORT DATABASE.
import { createServer } from "node:http";
import { DatabaseSync } from "node:sqlite";
import { Server } from "socket.io";

const [port, file] = process.argv.slice(2);
const database = new DatabaseSync(file);
for (const setting of ["journal_mode=WAL", "synchronous=FULL", "cache_size=-16384", "wal_autocheckpoint=4000"]) {
  database.exec(`PRAGMA ${setting}`);
}
database.exec("CREATE TABLE IF NOT EXISTS message (id INTEGER PRIMARY KEY AUTOINCREMENT, nonce TEXT UNIQUE, text TEXT)");
const insert = database.prepare("INSERT INTO message (nonce, text) VALUES (?, ?)");

const http = createServer();
const io = new Server(http, { transports: ["websocket"], perMessageDeflate: false, serveClient: false });
io.on("connection", (socket) => {
  if (socket.handshake.query.room) socket.join(socket.handshake.query.room);
  socket.on("say", (room, nonce, text, acknowledge) => {
    const { lastInsertRowid } = insert.run(nonce, text);
    io.to(room).emit("message", text, lastInsertRowid);
    acknowledge();
  });
});
http.listen({ port: Number(port), host: "127.0.0.1", backlog: 4096 });
