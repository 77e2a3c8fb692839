// Who is signed in, for every page behind the sign-in.
import { createContext, useContext } from "react";
import { may, type Session } from "./api";

export const SessionContext = createContext<Session | null>(null);
export function useSession(): Session {
  const s = useContext(SessionContext);
  if (!s) throw new Error("no session");
  return s;
}
export const useMay = (permission: string) => may(useSession(), permission);
