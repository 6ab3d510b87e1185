# Builds a static binary and puts it alone into an empty image: no shell, no
# package manager, nothing to update but the binary and the CA bundle.
#
#   docker build -t claimproxy .
#   docker run -p 8080:8080 -v ./claimproxy.yaml:/etc/claimproxy/claimproxy.yaml:ro -v claimproxy:/var/lib/claimproxy claimproxy
#
# claimproxy.yaml says listen: ":8080"; the default, 127.0.0.1:8080, cannot be
# reached from outside the container. It and the files that it names, such as
# secrets, must be readable for user 65532.

FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY cmd cmd
COPY policy policy
COPY proxy proxy
COPY session session
ARG VERSION=
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/claimproxy ./cmd/claimproxy \
 && install -d -m 0700 /out/state

FROM scratch
LABEL org.opencontainers.image.title="claimproxy" \
      org.opencontainers.image.description="Authenticating reverse proxy: OpenID Connect for browsers, bearer tokens for native clients, one claim policy for both" \
      org.opencontainers.image.source="https://github.com/claimproxy/claimproxy" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/claimproxy /claimproxy
COPY --from=build --chown=65532:65532 /out/state /var/lib/claimproxy
ENV STATE_DIRECTORY=/var/lib/claimproxy
VOLUME /var/lib/claimproxy
USER 65532:65532
EXPOSE 8080
# Asks the admin listener, where the configuration has one.
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s \
    CMD ["/claimproxy", "healthcheck", "--config", "/etc/claimproxy/claimproxy.yaml"]
ENTRYPOINT ["/claimproxy"]
CMD ["serve", "--config", "/etc/claimproxy/claimproxy.yaml"]
