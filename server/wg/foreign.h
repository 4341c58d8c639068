/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules of others on this host: which of them drop what a mesh needs, the
 * command that would help, and with firewall = integrate our accepts in their
 * chains. Those carry a comment with the interface's name, by which they are
 * found again, however often this program was started in between; nothing else
 * of others is ever changed.
 */
#ifndef QM_FOREIGN_H
#define QM_FOREIGN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cidr.h"
#include "base/cleanup.h"

#define FOREIGN_WORDS_LEN 300

struct foreign_wish {
	const char *interface;
	struct cidr range4, range6; /* of the mesh; family 0: none */
	uint16_t wg_port;           /* UDP, from anywhere */
	uint16_t mesh_ports[2];     /* TCP, from members; 0: none */
	bool dns;                   /* port 53 from members */
	bool integrate;
};

struct foreign_look {
	bool is_table_there; /* our own one */
	/* "blocked by chain FORWARD in table ip filter; what helps: nft insert rule …", or "" */
	char blocked[FOREIGN_WORDS_LEN];
	/* What could not be changed: "no accept in chain FORWARD of table ip fw: …", or "" */
	char refused[FOREIGN_WORDS_LEN];
};

/*
 * With integrate puts accepts where they are missing, without takes those away
 * that are there. One that is refused keeps no other out.
 * -ENOENT: no nft; -EIO: it cannot be read here.
 */
int foreign_look(const struct foreign_wish *wish, struct foreign_look *ret_look) _must_check_;
/* Our own table and our accepts in chains of others go; 0 when there are none, or no nft. */
int foreign_clear(const char *interface) _must_check_;

#endif
