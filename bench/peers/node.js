// The lab's answer by Node's http module. node node.js PORT
const http = require("http");

const server = http.createServer((request, response) => {
  response.writeHead(200, { "Content-Type": "text/plain; charset=utf-8", "Content-Length": 16 });
  response.end("Hello, Anonymous");
});
server.keepAliveTimeout = 3600 * 1000;
server.listen(Number(process.argv[2]), "127.0.0.1", 4096);
