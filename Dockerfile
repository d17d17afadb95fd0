# The program and its dependencies, nothing else. Build: `docker build -t clientele .`
#
# The first stage builds the dependencies; it is cached until Cargo.lock or Cargo.toml change. The second stage builds the program.
# The last stage is the image. .ci/image builds only the last stage, with a program that was built before.
ARG RUST=1.95-bookworm
FROM rust:${RUST} AS dependencies
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY crates crates
# Empty sources instead of ours. The build script is one of them, so that its dependencies are built too.
RUN mkdir -p src tests/it benches examples \
    && touch src/lib.rs tests/it/main.rs benches/load.rs examples/quickstart.rs \
    && echo 'fn main() {}' >src/main.rs \
    && cp src/main.rs build.rs \
    && cargo build --release --locked --bins \
    && rm -rf src build.rs target/release/build/clientele-* target/release/.fingerprint/clientele-* \
        target/release/deps/*clientele-*

FROM dependencies AS build
COPY .sqlx .sqlx
COPY build.rs ./
COPY migrations migrations
COPY proto proto
COPY third_party third_party
COPY src src
ENV SQLX_OFFLINE=true
ARG COMMIT=
ENV CLIENTELE_COMMIT=$COMMIT
RUN cargo build --release --locked --bins
COPY docker docker
RUN docker/rootfs target/release/clientele /rootfs

FROM scratch AS image
COPY --from=build /rootfs /
USER 65532:65532
EXPOSE 50051 9464
STOPSIGNAL SIGTERM
ENTRYPOINT ["/clientele"]
CMD ["serve"]
