-- Which workload made the call that did it, if its certificate or its mesh proves one: a SPIFFE id, or a Linkerd identity.
-- Beside `actors`, which are people and services as a token names them: what the connection proves, no issuer of tokens
-- can claim. Null for what was before, and where nothing proves any.
alter table events add column workload text;
