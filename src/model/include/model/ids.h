// model/ids.h: the identifiers of the product, one type each.
#pragma once
#include "base/id.h"

namespace caip {

#define CAIP_ID(Name, prefix)                              \
  struct Name##Tag {                                       \
    static constexpr std::string_view kPrefix = prefix;    \
  };                                                       \
  using Name = Id<Name##Tag>

CAIP_ID(OrgId, "org_");
CAIP_ID(UserId, "usr_");
CAIP_ID(SessionId, "ses_");
CAIP_ID(ServerId, "srv_");
CAIP_ID(SiteId, "site_");  // also its user's name on the server, and its folder's
CAIP_ID(EnrolmentId, "enr_");
CAIP_ID(ApprovalId, "apr_");
CAIP_ID(PlanId, "pln_");  // several approvals in an order
CAIP_ID(OperationId, "opr_");
CAIP_ID(ConversationId, "cnv_");
CAIP_ID(MessageId, "msg_");
CAIP_ID(RequestId, "req_");
CAIP_ID(SecretId, "sec_");
CAIP_ID(DeviceId, "dev_");
CAIP_ID(FactorId, "fac_");
CAIP_ID(IdentityId, "idt_");  // an account at another service, linked to one here
CAIP_ID(NoticeId, "ntc_");
CAIP_ID(NotifyChannelId, "nch_");
CAIP_ID(DeliveryId, "dlv_");
CAIP_ID(InvitationId, "inv_");
CAIP_ID(TokenId, "tok_");

#undef CAIP_ID

}  // namespace caip
