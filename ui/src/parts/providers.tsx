// Signing in with, linking, and stepping up with accounts at other services: there and back again.
import { Button, Divider, Stack } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { get, postPlain } from "../api";
import { Failure } from "./common";
import { Foreign } from "./foreign";

export interface SignInMethods { password: boolean; password_reset: boolean; providers: { id: string; label: string }[] }
export const useSignInMethods = () =>
  useQuery({ queryKey: ["sign-in-methods"], queryFn: () => get<SignInMethods>("/sign-in/methods"), staleTime: 300_000 });

// What the callback page has to do when the browser comes back to this tab. The server checks it besides.
export type Purpose = "sign-in" | "link" | "step-up" | "invitation";
const purposeKey = "caip-round-trip";
export const takePurpose = (): Purpose => {
  const kept = sessionStorage.getItem(purposeKey);
  sessionStorage.removeItem(purposeKey);
  return kept === "link" || kept === "step-up" || kept === "invitation" ? kept : "sign-in";
};

const attempts = { "sign-in": "/sign-in/attempts", link: "/account/identities/attempts", "step-up": "/session/step-up/attempts", invitation: "/invitations/attempts" };
async function goThere(purpose: Purpose, body: Record<string, string>) {
  const { location } = await postPlain<{ location: string }>(attempts[purpose], body);
  sessionStorage.setItem(purposeKey, purpose);
  window.location.assign(location);
}
export const leaveFor = (provider: string, purpose: Purpose, next: string) => goThere(purpose, { provider, next });

// With the token of an invitation's link: to accept it, and to be signed in then.
export function ProviderButtons({ invitation }: { invitation?: string }) {
  const methods = useSignInMethods();
  const here = window.location.pathname;
  const leave = useMutation({
    mutationFn: (provider: string) => (invitation ? goThere("invitation", { provider, token: invitation }) : leaveFor(provider, "sign-in", here.startsWith("/sign-in") ? "/" : here)),
  });
  if (!methods.data?.providers.length) return null;
  return (
    <Stack gap="xs">
      <Divider label="or" />
      {methods.data.providers.map((p) => (
        <Button key={p.id} variant="default" loading={leave.isPending && leave.variables === p.id} onClick={() => leave.mutate(p.id)}>
          <Foreign text={`${invitation ? "Join" : "Continue"} with ${p.label}`} />
        </Button>
      ))}
      <Failure error={leave.error} />
    </Stack>
  );
}
