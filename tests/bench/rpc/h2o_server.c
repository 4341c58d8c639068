/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor: a bare h2o handler that sends the body back. No decoding, no
 * dispatch, no trailers, no guards.
 */
#include <arpa/inet.h>
#include <stdio.h>

#include <h2o.h>
#include <h2o/http1.h>
#include <h2o/http2.h>

static h2o_accept_ctx_t accept_ctx;

static int on_request(h2o_handler_t *self, h2o_req_t *req)
{
	(void)self;
	req->res.status = 200;
	h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL,
		       H2O_STRLIT("application/grpc"));
	h2o_send_inline(req, req->entity.base, req->entity.len);
	return 0;
}

static void on_accept(h2o_socket_t *listening, const char *err)
{
	h2o_socket_t *sock;

	if (!err && (sock = h2o_evloop_socket_accept(listening)))
		h2o_accept(&accept_ctx, sock);
}

int main(void)
{
	static h2o_globalconf_t config;
	static h2o_context_t context;
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	h2o_hostconf_t *host;

	h2o_config_init(&config);
	host = h2o_config_register_host(&config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
	h2o_create_handler(h2o_config_register_path(host, "/", 0), sizeof(h2o_handler_t))->on_req =
		on_request;
	h2o_context_init(&context, h2o_evloop_create(), &config);
	accept_ctx.ctx = &context;
	accept_ctx.hosts = config.hosts;
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 1024) < 0 ||
	    getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		return 1;
	printf("port %d\n", ntohs(sa.sin_port));
	fflush(stdout);
	h2o_socket_read_start(h2o_evloop_socket_create(context.loop, fd, H2O_SOCKET_FLAG_DONT_READ),
			      on_accept);
	while (h2o_evloop_run(context.loop, 1000) == 0)
		;
	return 0;
}
