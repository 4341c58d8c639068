// SPDX-License-Identifier: Apache-2.0
// qmesh.test.Msg by hand, for clients that bring no messages of their own. No node, no browser.

function varint(n) {
	const out = [];
	for (; n > 127; n = Math.floor(n / 128))
		out.push(n % 128 | 128);
	return [...out, n];
}

export function encode({ n = 0, ms = 0, size = 0, text = "" }) {
	const out = [];
	for (const [field, value] of [[2, n], [3, ms], [4, size]])
		if (value)
			out.push(field << 3, ...varint(value));
	const words = new TextEncoder().encode(text);
	if (words.length)
		out.push(0x2a, ...varint(words.length), ...words);
	return new Uint8Array(out);
}

export function decode(bytes) {
	const m = { n: 0, text: "" };
	const read = (at) => {
		let value = 0, scale = 1;
		for (; bytes[at] > 127; at++, scale *= 128)
			value += (bytes[at] & 127) * scale;
		return [value + bytes[at] * scale, at + 1];
	};
	for (let at = 0; at < bytes.length;) {
		const key = bytes[at];
		let value;
		[value, at] = read(at + 1);
		if (key === 0x10)
			m.n = value;
		if ((key & 7) === 2) {
			if (key === 0x2a)
				m.text = new TextDecoder().decode(bytes.slice(at, at + value));
			at += value;
		}
	}
	return m;
}
