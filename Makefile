# Everything runs on Debian 13: on such a host directly, elsewhere inside a root that
# tools/root makes once in the cache folder. Needs root there.
ROOT := tools/root

.PHONY: help run test bench lint fuzz hostile clean
help:
	@echo "make run    start the control plane and one throw-away server, print the set-up link"
	@echo "make test   build and run every test"
	@echo "make bench  build for release and print the numbers; PARTS=large_log (about ten minutes, 9 GB) and others by name"
	@echo "make lint   sizes, forbidden constructs, missing room guides"
	@echo "make fuzz   run each fuzz target for FUZZ_SECONDS (default 30)"
	@echo "make hostile  HOSTILE_COUNT (default 1000000) conversations with a model that means harm"
	@echo "make clean  remove build/, ui/dist and ui/node_modules; ./var stays"

run:
	@$(ROOT) env $(if $(CAIP_PORT),CAIP_PORT=$(CAIP_PORT)) python3 tools/demo

test:
	@$(ROOT) python3 tools/test

bench:
	@$(ROOT) python3 tools/bench $(PARTS)

lint:
	@$(ROOT) python3 tools/lint

fuzz:
	@$(ROOT) tools/fuzz $(or $(FUZZ_SECONDS),30)

hostile:
	@$(ROOT) tools/hostile $(or $(HOSTILE_COUNT),1000000)

clean:
	rm -rf build ui/dist ui/node_modules
