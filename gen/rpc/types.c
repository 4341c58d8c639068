/* SPDX-License-Identifier: Apache-2.0 */
/* What an Any of ours may hold. Made from proto/ by scripts/gen; never edited. */
#include "gen/rpc/types.h"

#include "google/protobuf/any.pb-c.h"
#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"

static const ProtobufCMessageDescriptor *const all[] = {
	&google__protobuf__any__descriptor,
	&google__protobuf__duration__descriptor,
	&google__protobuf__timestamp__descriptor,
	&google__rpc__bad_request__descriptor,
	&google__rpc__bad_request__field_violation__descriptor,
	&google__rpc__error_info__descriptor,
	&google__rpc__quota_failure__descriptor,
	&google__rpc__quota_failure__violation__descriptor,
	&google__rpc__retry_info__descriptor,
	&google__rpc__status__descriptor,
};

const struct json_types types_known = {.all = all, .n = 10};
