/* SPDX-License-Identifier: Apache-2.0 */
/* Names of devices; see devname.h. */
#include "client/cli/devname.h"

#include <string.h>

#include "base/text.h"
#include "client/cli/print.h"
#include "client/cli/reach.h"

#define PAGE_SIZE 1000
#define MAX_PAGES 100

/* Adds a page; takes it over. */
static int add_page(struct devname_list *list, Pb__ListDevicesResponse *page)
{
	size_t n = list->n_devices + page->n_devices;
	Pb__ListDevicesResponse **pages =
		reallocarray(list->pages, list->n_pages + 1, sizeof(*pages));
	Pb__Device **devices;

	if (!pages) {
		protobuf_c_message_free_unpacked(&page->base, NULL);
		return EXIT_OTHER;
	}
	list->pages = pages;
	list->pages[list->n_pages++] = page;
	devices = reallocarray(list->devices, n ? n : 1, sizeof(*devices));
	if (!devices)
		return EXIT_OTHER;
	list->devices = devices;
	for (size_t i = 0; i < page->n_devices; i++)
		list->devices[list->n_devices++] = page->devices[i];
	return 0;
}

int devname_list(struct cli *cli, bool all, struct devname_list *ret_list)
{
	Pb__ListDevicesRequest in = PB__LIST_DEVICES_REQUEST__INIT;
	struct devname_list list = {0};
	Pb__ListDevicesResponse *out;
	struct qm_reply reply;
	int code;

	in.all = all;
	in.page_size = PAGE_SIZE;
	do {
		out = NULL;
		code = reach_outcome(
			cli, qm_list_devices(cli->client, &cli->call, &in, &reply, &out), &reply);
		if (code == 0) {
			qm_reply_done(&reply);
			code = add_page(&list, out);
		}
		if (code) {
			devname_list_done(&list);
			return code;
		}
		in.page_token = out->next_page_token;
	} while (in.page_token[0] && list.n_pages < MAX_PAGES);
	*ret_list = list;
	return 0;
}

void devname_list_done(struct devname_list *list)
{
	for (size_t i = 0; i < list->n_pages; i++)
		protobuf_c_message_free_unpacked(&list->pages[i]->base, NULL);
	free(list->pages);
	free(list->devices);
	*list = (struct devname_list){0};
}

/* How many devices are called so; the slug, which is unique, beats labels. */
static size_t count(const struct devname_list *list, const char *name, const char **ret_id)
{
	size_t n = 0;

	for (size_t i = 0; i < list->n_devices; i++) {
		if (strcmp(list->devices[i]->slug, name) == 0) {
			*ret_id = list->devices[i]->id;
			return 1;
		}
	}
	for (size_t i = 0; i < list->n_devices; i++) {
		if (strcmp(list->devices[i]->label, name) == 0) {
			*ret_id = list->devices[i]->id;
			n++;
		}
	}
	return n;
}

/* May the caller see more than the own devices? */
static bool sees_all(struct cli *cli)
{
	_cleanup_(reach_free) Pb__WhoAmIResponse *out = NULL;
	Pb__WhoAmIRequest in = PB__WHO_AM_IREQUEST__INIT;
	struct qm_reply reply;

	/* The operator at a node's socket has no devices and no account. */
	if (!cli->token)
		return true;
	if (qm_who_am_i(cli->client, &cli->call, &in, &reply, &out) < 0)
		return false;
	qm_reply_done(&reply);
	return out && (out->role == PB__ROLE__ROLE_ADMIN || out->role == PB__ROLE__ROLE_AUDITOR);
}

int devname_find(struct cli *cli, const char *name, char *ret_id)
{
	_cleanup_(devname_list_done) struct devname_list list = {0};
	const char *found = NULL;
	struct uuid id;
	size_t n;
	int code;

	if (uuid_parse(name, &id) == 0) {
		uuid_text(&id, ret_id);
		return 0;
	}
	code = devname_list(cli, false, &list);
	if (code)
		return code;
	n = count(&list, name, &found);
	if (n == 0 && sees_all(cli)) {
		devname_list_done(&list);
		code = devname_list(cli, true, &list);
		if (code)
			return code;
		n = count(&list, name, &found);
	}
	if (n == 1) {
		snprintf(ret_id, UUID_TEXT_LEN + 1, "%s", found);
		return 0;
	}
	if (n > 1) {
		print_problem("its slug or id is unique: qmesh device list",
			      "%zu devices have the label %s", n, name);
		return EXIT_CONFLICT;
	}
	{
		struct status s = {0};

		status_set(&s, ERR_NOT_FOUND, "no device is called %s", name);
		print_failure(&s, cli->json);
		status_done(&s);
	}
	return EXIT_NOT_FOUND;
}
