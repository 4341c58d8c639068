// SPDX-License-Identifier: Apache-2.0
// node names.js PROTO_DIR TARGET CERT|- NAME ADDRESS: the call that CoreDNS's plugin grpc makes, by
// grpc-js: DNS bytes there and back, our zone and a foreign name; one line "ok CASE" or
// "FAIL CASE: why" each. CERT "-" is clear text.
"use strict";
const assert = require("assert");
const fs = require("fs");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const [proto, target, cert, name, address] = process.argv.slice(2);
const { DnsService } = grpc.loadPackageDefinition(loader.loadSync("coredns/dns.proto", { includeDirs: [proto] })).coredns.dns;
const client = new DnsService(target, cert === "-" ? grpc.credentials.createInsecure()
	: grpc.credentials.createSsl(fs.readFileSync(cert)));

function question(of) {
	const labels = of.split(".").map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
	return Buffer.concat([Buffer.from([0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]), ...labels, Buffer.from([0, 0, 1, 0, 1])]);
}

function ask(msg) {
	return new Promise((resolve) => client.query({ msg }, { deadline: Date.now() + 60000 }, (error, answer) =>
		resolve({ error, msg: answer?.msg })));
}

const cases = {
	async own_name() {
		const asked = question(name), { error, msg } = await ask(asked);
		assert(msg, error?.message);
		assert.deepStrictEqual([...msg.subarray(0, 4)], [0x12, 0x34, 0x85, 0]);
		assert(msg.subarray(12, asked.length).equals(asked.subarray(12)));
		assert.deepStrictEqual([...msg.subarray(-4)], address.split(".").map(Number));
	},
	async no_such_name() {
		const { error, msg } = await ask(question("nobody.quazzar.mesh"));
		assert(msg, error?.message);
		// NXDOMAIN, and the SOA beside it.
		assert.deepStrictEqual([msg[3] & 15, msg[7], msg[9]], [3, 0, 1]);
	},
	async foreign_name() {
		const { error, msg } = await ask(question("www.example.com"));
		assert(msg, error?.message);
		assert.strictEqual(msg[3] & 15, 5);
	},
	async no_query() {
		const { error } = await ask(Buffer.from("hello"));
		assert.strictEqual(error?.code, grpc.status.INVALID_ARGUMENT);
	},
};

(async () => {
	let failed = 0;
	for (const [what, run] of Object.entries(cases)) {
		try {
			await run();
			console.log(`ok ${what}`);
		} catch (error) {
			failed++;
			console.log(`FAIL ${what}: ${String(error.message ?? error).replaceAll("\n", " ")}`);
		}
	}
	client.close();
	process.exitCode = failed ? 1 : 0;
})();
