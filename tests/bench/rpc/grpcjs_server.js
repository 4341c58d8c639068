// SPDX-License-Identifier: Apache-2.0
// A rival: grpc-js. node grpcjs_server.js ECHO_PROTO [CERT KEY]
"use strict";
const fs = require("fs");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const [proto, cert, key] = process.argv.slice(2);
const { Echo } = grpc.loadPackageDefinition(loader.loadSync(proto, {})).qmesh.test;

function stream(call) {
	const data = Buffer.alloc(call.request.size);
	let sent = 0;

	function more() {
		while (sent < call.request.n)
			if (!call.write(sent++ ? { data, n: sent - 1 } : { data })) {
				call.once("drain", more);
				return;
			}
		call.end();
	}
	more();
}

const server = new grpc.Server();
server.addService(Echo.service, {
	Unary: (call, done) => done(null, call.request),
	ServerStream: stream,
});
const credentials = cert
	? grpc.ServerCredentials.createSsl(null, [{ cert_chain: fs.readFileSync(cert), private_key: fs.readFileSync(key) }])
	: grpc.ServerCredentials.createInsecure();
server.bindAsync("127.0.0.1:0", credentials, (error, port) => {
	if (error)
		throw error;
	console.log(`port ${port}`);
});
