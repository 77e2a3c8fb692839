import "@mantine/core/styles.css";
import "uplot/dist/uPlot.min.css";
import "./styles.css";
import { createTheme, MantineProvider, Modal } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Problem } from "./api";
import { App } from "./app";

// Under style-src 'self' no style element may be made at run time. So: variables and classes come
// from files, no responsive style props (they make style elements), no scroll lock (so does that).
const theme = createTheme({
  primaryColor: "indigo",
  defaultRadius: "md",
  components: { Modal: Modal.extend({ defaultProps: { lockScroll: false, centered: true } }) },
});
const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      retry: (count, error) => count < 2 && error instanceof Problem && (error.status === 0 || error.status >= 500),
    },
  },
});

const root = document.getElementById("root");
if (root) createRoot(root).render(
  <StrictMode>
    <MantineProvider theme={theme} defaultColorScheme="auto" withCssVariables={false} withGlobalClasses={false}>
      <QueryClientProvider client={queries}><App /></QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
