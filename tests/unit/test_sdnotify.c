/* SPDX-License-Identifier: Apache-2.0 */
/* sdnotify.c against a socket as a service manager has it, by path and abstract. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sdnotify.h"

static int listen_at(const char *path)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	memcpy(un.sun_path, path, strlen(path));
	if (path[0] == '@')
		un.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (struct sockaddr *)&un,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path))),
			 0);
	return fd;
}

static void check_heard(const char *path)
{
	int fd = listen_at(path);
	char got[64] = "";

	setenv("NOTIFY_SOCKET", path, 1);
	assert_true(sdnotify_tell("READY=1\nSTATUS=ready"));
	assert_int_equal(recv(fd, got, sizeof(got) - 1, 0), 20);
	assert_string_equal(got, "READY=1\nSTATUS=ready");
	close(fd);
}

static void test_is_heard_by_path_and_abstract_name(void **state)
{
	char dir[] = "/tmp/qmesh-sdnotify.XXXXXX", path[64];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/notify", dir);
	check_heard(path);
	unlink(path);
	rmdir(dir);
	snprintf(path, sizeof(path), "@qmesh-sdnotify-%d", (int)getpid());
	check_heard(path);
}

static void test_nobody_there_is_no_fault(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	assert_false(sdnotify_tell("READY=1"));
	setenv("NOTIFY_SOCKET", "", 1);
	assert_false(sdnotify_tell("READY=1"));
	setenv("NOTIFY_SOCKET", "relative", 1);
	assert_false(sdnotify_tell("READY=1"));
	setenv("NOTIFY_SOCKET", "/tmp/qmesh-sdnotify-nobody", 1);
	assert_false(sdnotify_tell("READY=1"));
}

/* One whose manager does not read must not stop a daemon. */
static void test_a_full_socket_does_not_block(void **state)
{
	char name[64];
	int fd, n = 0;

	(void)state;
	snprintf(name, sizeof(name), "@qmesh-sdnotify-full-%d", (int)getpid());
	fd = listen_at(name);
	setenv("NOTIFY_SOCKET", name, 1);
	while (n < 100000 && sdnotify_tell("STATUS=again"))
		n++;
	assert_in_range(n, 1, 99999);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_is_heard_by_path_and_abstract_name),
		cmocka_unit_test(test_nobody_there_is_no_fault),
		cmocka_unit_test(test_a_full_socket_does_not_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
