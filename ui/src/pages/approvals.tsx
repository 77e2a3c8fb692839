import { Anchor, NativeSelect, Text } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { get, type Approval, type ApprovalState, type List } from "../api";
import { usePoll } from "../live";
import { ApprovalById, ApprovalCard, stateName } from "../parts/approval-card";
import { Failure, Page, Waiting } from "../parts/common";
import { More } from "../parts/more";
import { PlanById } from "../parts/plan-card";

const states: ApprovalState[] = ["pending", "half_approved", "approved", "executing", "completed", "failed", "denied", "expired", "held"];

export function ApprovalsPage() {
  const [state, setState] = useState("");
  const approvals = useInfiniteQuery({
    queryKey: ["approvals", "list", state], initialPageParam: "",
    queryFn: ({ pageParam }) => {
      const q = new URLSearchParams();
      if (state) q.set("state", state);
      if (pageParam) q.set("cursor", pageParam);
      return get<List<Approval>>(`/approvals${q.size ? `?${q}` : ""}`);
    },
    getNextPageParam: (last) => last.next_cursor, refetchInterval: usePoll(),
  });
  const list = approvals.data?.pages.flatMap((p) => p.data) ?? [];
  return (
    <Page title="Approvals" aside={
      <NativeSelect aria-label="State" value={state} onChange={(e) => setState(e.currentTarget.value)}
                    data={[{ value: "", label: "all states" }, ...states.map((s) => ({ value: s, label: stateName(s) }))]} />}>
      <Failure error={approvals.error} />
      {approvals.isPending && <Waiting what="approvals" />}
      {approvals.data && list.length === 0 && <Text>Nothing here. When the Pilot would like to change something, it asks here and in its conversation.</Text>}
      <div className="stack">{list.map((a) => <ApprovalCard key={a.id} approval={a} />)}</div>
      <More query={approvals} />
    </Page>
  );
}

export function PlanPage({ id }: { id: string }) {
  return (
    <Page title="Plan">
      <Anchor component={Link} href="/approvals" size="sm" underline="always">All approvals</Anchor>
      <div className="stack"><PlanById id={id} /></div>
    </Page>
  );
}

export function ApprovalPage({ id }: { id: string }) {
  return (
    <Page title="Approval">
      <Anchor component={Link} href="/approvals" size="sm" underline="always">All approvals</Anchor>
      <div className="stack"><ApprovalById id={id} /></div>
    </Page>
  );
}
