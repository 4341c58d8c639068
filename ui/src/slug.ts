/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's label rules again, for the preview while one types. The server
 * decides; this only spares a round trip.
 */

const RESERVED = ["cp", "gw", "ns", "www", "wpad", "isatap", "localhost", "mesh"];
const SLUG_MAX = 63;
const LABEL_MAX = 64;
const TUNNEL_MAX = 15;

export function slug_of(label: string): string {
	return label
		.normalize("NFKD")
		.replace(/\p{M}+/gu, "")
		.toLowerCase()
		.replace(/[^a-z0-9]+/g, "-")
		.replace(/^-+|-+$/g, "")
		.slice(0, SLUG_MAX)
		.replace(/-+$/, "");
}

/* The reason the server would give, or null. */
export function label_fault(label: string): string | null {
	if ([...label.normalize("NFC")].length > LABEL_MAX) return "LABEL_INVALID";
	/* Control, format and bidi characters. */
	if (/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(label)) return "LABEL_INVALID";
	const slug = slug_of(label);
	if (!slug) return "LABEL_INVALID";
	return RESERVED.includes(slug) ? "LABEL_RESERVED" : null;
}

/*
 * What to call the tunnel in the app: Android and wg-quick take at most 15
 * characters. A longer slug keeps its head and gets the tail of the random
 * device id, so that two long names stay apart.
 */
export function tunnel_name(slug: string, id: string): string {
	if (slug.length <= TUNNEL_MAX) return slug;
	return slug.slice(0, TUNNEL_MAX - 5).replace(/-+$/, "") + "-" + id.slice(-4);
}
