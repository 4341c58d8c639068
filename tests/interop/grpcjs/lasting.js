// SPDX-License-Identifier: Apache-2.0
// node lasting.js ECHO_PROTO PORT AGED_PORT: keepalive that is too quick, and connections that
// end at an age; one line "ok NAME" or "FAIL NAME: why" a check.
"use strict";
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const [proto, port, aged] = process.argv.slice(2);
const { Echo } = grpc.loadPackageDefinition(loader.loadSync(proto, { defaults: true })).qmesh.test;

function check(name, ok, seen) {
	console.log(ok ? `ok ${name}` : `FAIL ${name}: ${JSON.stringify(seen)}`);
}

function client(to, options) {
	return new Echo(`localhost:${to}`, grpc.credentials.createInsecure(), options);
}

function unary(c, message) {
	const deadline = new Date(Date.now() + 60000);
	return new Promise((resolve) =>
		c.Slow(message, new grpc.Metadata(), { deadline }, (error, answer) => resolve({ error, answer })));
}

function subscription(c) {
	return new Promise((resolve) => {
		const call = c.Subscribe({ n: 1 }, { deadline: new Date(Date.now() + 90000) });
		call.on("data", () => {});
		call.on("error", resolve);
		call.on("end", () => resolve({ code: 0 }));
	});
}

async function main() {
	const quick = client(port, { "grpc.keepalive_time_ms": 300, "grpc.keepalive_timeout_ms": 5000 });
	let e = await subscription(quick);
	// node ends the streams of such a connection with its code, which reads as "exhausted".
	check("too many pings end a stream",
		[grpc.status.UNAVAILABLE, grpc.status.RESOURCE_EXHAUSTED].includes(e.code), e);
	let r = await unary(quick, { n: 2, ms: 10 });
	check("and the next call is served", r.answer && r.answer.n === 2, r);
	quick.close();

	const old = client(aged, {});
	const stream = subscription(old);
	const end = Date.now() + 7000;
	let failed = [];
	for (let i = 1; Date.now() < end; i++) {
		r = await unary(old, { n: i, ms: 100 });
		if (r.error || r.answer.n !== i)
			failed.push(String(r.error));
	}
	check("no call is lost when connections age", failed.length === 0, failed);
	e = await stream;
	check("a stream ends with UNAVAILABLE", e.code === grpc.status.UNAVAILABLE, e);
	old.close();
}

main();
