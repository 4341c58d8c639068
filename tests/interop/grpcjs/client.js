// SPDX-License-Identifier: Apache-2.0
// node client.js ECHO_PROTO PLAIN_PORT TLS_PORT CERT: one line "ok NAME" or "FAIL NAME: why" a check.
"use strict";
const fs = require("fs");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const [proto, plain, tls, cert] = process.argv.slice(2);
const { Echo } = grpc.loadPackageDefinition(loader.loadSync(proto, { defaults: true })).qmesh.test;

function check(name, ok, seen) {
	console.log(ok ? `ok ${name}` : `FAIL ${name}: ${JSON.stringify(seen)}`);
}

function unary(client, method, message, options = {}) {
	return new Promise((resolve) =>
		client[method](message, new grpc.Metadata(), options, (error, answer) =>
			resolve({ error, answer })));
}

function stream(client, method, message, cancelAfter) {
	return new Promise((resolve) => {
		const got = [];
		const call = client[method](message);
		call.on("data", (m) => {
			got.push(m.n);
			if (got.length === cancelAfter)
				call.cancel();
		});
		call.on("error", (error) => resolve({ got, error }));
		call.on("end", () => resolve({ got }));
	});
}

async function kind(name, client) {
	let r = await unary(client, "Unary", { n: 3, text: "hé" });
	check(`${name}: unary`, r.answer && r.answer.n === 3 && r.answer.text === "hé", r);
	r = await unary(client, "Work", { n: 4 });
	check(`${name}: on a worker`, r.answer && r.answer.n === 4, r);
	r = await unary(client, "Fail", { n: 15, text: "naïve %" });
	check(`${name}: refusal`, r.error && r.error.code === grpc.status.ALREADY_EXISTS &&
		r.error.details === "naïve %", r);
	r = await unary(client, "Slow", { ms: 3000 }, { deadline: Date.now() + 200 });
	check(`${name}: deadline`, r.error && r.error.code === grpc.status.DEADLINE_EXCEEDED, r);
	r = await unary(client, "Unary", { data: Buffer.alloc(2000000) });
	check(`${name}: 2 MB`, r.answer && r.answer.data.length === 2000000, r.error);
	r = await stream(client, "ServerStream", { n: 1000, size: 100 });
	check(`${name}: stream`, !r.error && r.got.length === 1000 && r.got[999] === 999, r.error);
	r = await stream(client, "ServerStream", { n: 1000, ms: 5, size: 10 }, 3);
	check(`${name}: cancel`, r.error && r.error.code === grpc.status.CANCELLED, r);
	const all = await Promise.all([...Array(250).keys()].map((n) => unary(client, "Slow", { n, ms: 30 })));
	check(`${name}: 250 at once`, all.every((a, n) => a.answer && a.answer.n === n), all.find((a) => a.error));
	client.close();
}

async function main() {
	await kind("plain", new Echo(`localhost:${plain}`, grpc.credentials.createInsecure()));
	await kind("tls", new Echo(`localhost:${tls}`, grpc.credentials.createSsl(fs.readFileSync(cert))));
}

main();
