//! TLS and mTLS over real connections: accepted clients, recorded identities, and renewed certificates.

use std::{
    fs::{self, File},
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use clientele::{
    config::{Config, MeshIdentity, Reloadable, Tls},
    grpc::pb::{self, access_service_client::AccessServiceClient},
    server::DrainOutcome,
};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};
use tokio::{io::AsyncReadExt as _, net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::{
    Request,
    transport::{Channel, Endpoint},
};
use tower::service_fn;

use crate::{
    pki::{Authority, Pair},
    processes::{clientele, eventually, path, request, temp_dir},
    telemetry::scrape,
    world::{AUDIENCE, ISSUER, Keys, TestAccount, World, customer, database, until},
};

const ORDERS: &str = "spiffe://example.org/ns/shop/sa/orders";

/// The files of a server's certificate.
#[derive(Clone)]
pub struct Files {
    certificate: PathBuf,
    key: PathBuf,
    clients: Option<PathBuf>,
}

impl Files {
    pub fn of(authority: &Authority, pair: &Pair) -> Self {
        let files = Self { certificate: authority.path("tls.crt"), key: authority.path("tls.key"), clients: None };
        files.hold(pair);
        files
    }

    /// Every client must have a certificate of this authority.
    fn for_clients_of(mut self, authority: &Authority) -> Self {
        self.clients = Some(authority.file());
        self
    }

    fn hold(&self, pair: &Pair) {
        fs::write(&self.certificate, &pair.certificate).unwrap();
        fs::write(&self.key, &pair.key).unwrap();
    }

    pub fn served(self) -> impl FnOnce(&mut Config) {
        let Self { certificate, key, clients } = self;
        let files = [&certificate, &key].into_iter().chain(&clients).cloned().collect();
        let read = move || Tls::read(&certificate, &key, clients.as_deref());
        let tls = Reloadable::from_files(files, read).unwrap();
        move |config| config.tls = Some(tls)
    }
}

/// The authorities that a client trusts, and its own certificate.
fn client(believed: &[&Authority], proof: Option<&Pair>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for authority in believed {
        roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(roots);
    let mut config = match proof {
        None => builder.with_no_client_auth(),
        Some(pair) => {
            let certificate = CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
            builder.with_client_auth_cert(vec![certificate], key).unwrap()
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

async fn connect(address: SocketAddr, config: ClientConfig) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await
}

/// A channel with this TLS configuration; each has a connection of its own.
fn channel(address: SocketAddr, config: ClientConfig) -> Channel {
    let connector = service_fn(move |_| {
        let config = config.clone();
        async move { connect(address, config).await.map(TokioIo::new) }
    });
    Endpoint::from_shared(format!("http://{address}")).unwrap().connect_with_connector_lazy(connector)
}

/// Whether a client reaches a handler.
async fn gets_in(world: &World, channel: Channel) -> bool {
    let identity = world.operator().over(channel).access().who_am_i(pb::WhoAmIRequest::default()).await;
    identity.is_ok_and(|identity| identity.into_inner().platform_operator)
}

/// The certificate that a server shows, if this client trusts it.
async fn shown(world: &World, config: &ClientConfig) -> Option<CertificateDer<'static>> {
    let stream = connect(world.server.address(), config.clone()).await.ok()?;
    stream.get_ref().1.peer_certificates().map(|chain| chain[0].clone())
}

fn der(pair: &Pair) -> Option<CertificateDer<'static>> {
    CertificateDer::from_pem_slice(pair.certificate.as_bytes()).ok()
}

#[tokio::test]
async fn a_server_with_a_certificate_accepts_only_tls() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let world = World::start_with(database().await, Files::of(&authority, &authority.server()).served()).await;
    let address = world.server.address();
    assert!(gets_in(&world, channel(address, client(&[&authority], None))).await);
    assert!(!gets_in(&world, world.channel()).await, "without TLS");
    assert!(!gets_in(&world, channel(address, client(&[&stranger], None))).await, "it is not trusted");
    let mut old = client(&[&authority], None);
    old.alpn_protocols = vec![b"http/1.1".to_vec()];
    assert!(connect(address, old).await.is_err(), "only HTTP/2 is accepted");
}

#[tokio::test]
async fn silent_peers_delay_no_other_peer_and_no_stop() {
    let authority = Authority::new();
    let world = World::start_with(database().await, Files::of(&authority, &authority.server()).served()).await;
    let mut silent = Vec::new();
    for _ in 0..16 {
        silent.push(TcpStream::connect(world.server.address()).await.unwrap());
    }
    assert!(gets_in(&world, channel(world.server.address(), client(&[&authority], None))).await);
    let stopped = timeout(Duration::from_secs(5), world.server.stop()).await.expect("it does not wait for them");
    assert_eq!(stopped, DrainOutcome::Complete);
    for mut stream in silent {
        assert!(matches!(stream.read(&mut [0; 1]).await, Ok(0) | Err(_)));
    }
}

#[tokio::test]
async fn with_mtls_a_client_needs_a_certificate_of_the_right_authority() {
    let (servers, clients, stranger) = (Authority::new(), Authority::new(), Authority::new());
    let files = Files::of(&servers, &servers.server()).for_clients_of(&clients);
    let world = World::start_with(database().await, files.served()).await;
    let with = |proof: Option<&Pair>| channel(world.server.address(), client(&[&servers], proof));
    assert!(gets_in(&world, with(Some(&clients.client(&[ORDERS])))).await);
    assert!(gets_in(&world, with(Some(&clients.client(&[])))).await, "SPIFFE is not asked for");
    for (what, proof) in [
        ("none", None),
        ("a stranger's", Some(stranger.client(&[ORDERS]))),
        ("one for servers", Some(clients.server())),
        ("its own", Some(servers.client(&[ORDERS]))),
    ] {
        assert!(!gets_in(&world, with(proof.as_ref())).await, "{what}");
    }
}

/// The workload in the event of a creation over this channel, for each of these headers.
async fn recorded(acme: &TestAccount, channel: &Channel, header: Option<(&'static str, &str)>) -> String {
    let mut client = acme.admin.over(channel.clone()).customers();
    let name = format!("customer {}", uuid::Uuid::new_v4().simple());
    let mut request = Request::new(pb::CreateCustomerRequest { customer: Some(customer(&name)), ..Default::default() });
    if let Some((name, value)) = header {
        request.metadata_mut().insert(name, value.parse().unwrap());
    }
    let id = client.create_customer(request).await.unwrap().into_inner().customer.unwrap().id;
    acme.admin.over(channel.clone()).events(&id).await.unwrap()[0].workload.clone()
}

#[tokio::test]
async fn the_verified_workload_is_in_events() {
    let authority = Authority::new();
    let files = Files::of(&authority, &authority.server()).for_clients_of(&authority);
    let as_workload = |uris: &[&str]| client(&[&authority], Some(&authority.client(uris)));
    let mut world = World::start_with(database().await, files.served()).await;
    let address = world.server.address();
    let orders = channel(address, as_workload(&[ORDERS]));
    world.call_over(orders.clone());
    let acme = world.tenant("acme").await;

    assert_eq!(recorded(&acme, &orders, None).await, ORDERS);
    // With a client certificate the header is ignored.
    let forged = ("x-forwarded-client-cert", "URI=spiffe://example.org/forged");
    assert_eq!(recorded(&acme, &orders, Some(forged)).await, ORDERS);
    for uris in [&[][..], &["https://example.org"], &[ORDERS, "spiffe://example.org/second"]] {
        let nameless = channel(address, as_workload(uris));
        assert_eq!(recorded(&acme, &nameless, Some(forged)).await, "", "{uris:?}");
    }
}

#[tokio::test]
async fn a_program_with_certificate_flags_logs_the_workload() {
    let (authority, keys, temp_dir, database) = (Authority::new(), Keys::new(), temp_dir(), database().await);
    let files = Files::of(&authority, &authority.server()).for_clients_of(&authority);
    let (sealing, log) = (temp_dir.path().join("sealing"), temp_dir.path().join("log"));
    fs::write(&sealing, std::array::from_fn::<u8, 32, _>(|index| 255 - u8::try_from(index).unwrap())).unwrap();
    let url = format!(
        "postgres://{}@localhost/{}?host={}&sslmode=disable",
        database.get_username(),
        database.get_database().unwrap(),
        database.get_socket().unwrap().display()
    );
    let mut serve = clientele(&["serve", "--listen=127.0.0.1:0", "--log-format=json", "--database-url", &url]);
    serve.args(["--issuer", &format!("{ISSUER},{AUDIENCE},{}", path(&keys.jwks()))]);
    serve.args(["--sealing-key-file", path(&sealing), "--tls-cert-file", path(&files.certificate)]);
    serve.args(["--tls-key-file", path(&files.key), "--tls-client-ca-file", path(&files.clients.unwrap())]);
    let mut served = serve.stderr(File::create(&log).unwrap()).spawn().unwrap();
    let said = || fs::read_to_string(&log).unwrap();
    let listens = || said().lines().find_map(|line| line.strip_prefix("listening on ")?.parse().ok());
    eventually("it listens", || listens().is_some()).await;

    let with = client(&[&authority], Some(&authority.client(&[ORDERS])));
    let mut access = AccessServiceClient::new(channel(listens().unwrap(), with));
    access.who_am_i(request(&keys.token("ada"), pb::WhoAmIRequest::default())).await.unwrap();
    let line = || said().lines().find(|line| line.contains("AccessService/WhoAmI")).map(str::to_owned);
    eventually("the call has its line", || line().is_some()).await;
    let line: serde_json::Value = serde_json::from_str(&line().unwrap()).unwrap();
    assert_eq!((&line["code"], &line["workload"]), (&"OK".into(), &ORDERS.into()), "{line}");
    served.kill().await.unwrap();
}

#[tokio::test]
async fn a_meshs_header_is_accepted_only_where_it_is_configured() {
    // The tests call from this machine, as a sidecar does. Unit tests of the layer check other machines.
    let xfcc = ("x-forwarded-client-cert", format!("By=spiffe://example.org/us;URI={ORDERS}"));
    let linkerd = ("l5d-client-id", "orders.shop.serviceaccount.identity.linkerd.cluster.local".to_owned());
    for (mesh, from_xfcc, from_linkerd) in [
        (MeshIdentity::None, "", ""),
        (MeshIdentity::Xfcc, ORDERS, ""),
        (MeshIdentity::Linkerd, "", linkerd.1.as_str()),
    ] {
        let world = World::start_with(database().await, |config| config.mesh_identity = mesh).await;
        let acme = world.tenant("acme").await;
        let channel = world.channel();
        assert_eq!(recorded(&acme, &channel, Some((xfcc.0, &xfcc.1))).await, from_xfcc, "{mesh:?}");
        assert_eq!(recorded(&acme, &channel, Some((linkerd.0, &linkerd.1))).await, from_linkerd, "{mesh:?}");
    }
}

#[tokio::test]
async fn new_connections_get_a_new_certificate_and_never_a_broken_one() {
    let authority = Authority::new();
    let (first, second) = (authority.server_in(2020, 2050), authority.server_in(2021, 2060));
    let files = Files::of(&authority, &first);
    let served = files.clone().served();
    let world = World::start_with(database().await, |config| {
        served(config);
        config.telemetry.metrics_listen = Some(([127, 0, 0, 1], 0).into());
    })
    .await;
    let config = client(&[&authority], None);
    assert_eq!(shown(&world, &config).await, der(&first));
    let connected = channel(world.server.address(), config.clone());
    assert!(gets_in(&world, connected.clone()).await);

    // A key that does not match, and a file that is not a certificate: the first certificate stays in use.
    fs::write(&files.key, &second.key).unwrap();
    fs::write(&files.certificate, "-----BEGIN NOTHING-----").unwrap();
    assert_eq!(shown(&world, &config).await, der(&first));
    assert_eq!(validity(&world).await, ["2020-01-01", "2050-01-01"].map(seconds));
    fs::write(&files.certificate, &second.certificate).unwrap();
    until("the second is shown", async || shown(&world, &config).await == der(&second)).await;
    assert_eq!(validity(&world).await, ["2021-01-01", "2060-01-01"].map(seconds));
    assert!(gets_in(&world, connected).await, "an existing connection stays open");
}

/// The certificate's period of validity in the metrics.
async fn validity(world: &World) -> [String; 2] {
    let metrics = scrape::scrape(world).await;
    ["before", "after"].map(|end| {
        let name = format!("clientele_tls_certificate_not_{end}_timestamp_seconds");
        metrics.value(&name, &[]).to_string()
    })
}

/// The seconds from 1970 to this day.
fn seconds(day: &str) -> String {
    let day: chrono::NaiveDate = day.parse().unwrap();
    day.and_hms_opt(0, 0, 0).unwrap().and_utc().timestamp().to_string()
}

#[tokio::test]
async fn clients_of_a_new_authority_are_accepted_and_those_of_the_old_refused() {
    let (servers, old, new) = (Authority::new(), Authority::new(), Authority::new());
    let files = Files::of(&servers, &servers.server()).for_clients_of(&old);
    let clients = files.clients.clone().unwrap();
    let world = World::start_with(database().await, files.served()).await;
    let with = |proof: &Pair| channel(world.server.address(), client(&[&servers], Some(proof)));
    let (of_old, of_new) = (old.client(&[ORDERS]), new.client(&[ORDERS]));
    assert!(gets_in(&world, with(&of_old)).await && !gets_in(&world, with(&of_new)).await);
    fs::write(clients, new.pem()).unwrap();
    until("clients of the new authority are accepted", async || gets_in(&world, with(&of_new)).await).await;
    assert!(!gets_in(&world, with(&of_old)).await);
}
