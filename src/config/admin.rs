//! `[admin]`: where the operator connects, and what keeps others out.

use std::net::{IpAddr, SocketAddr};

use super::{
    address,
    cache::token,
    problem::Problem,
    reader::{Reader, Setting},
    section::Section,
    source::Place,
};
use crate::admin::Settings;

/// Reads `[admin]`.
pub(super) fn read(section: Section<'_>) -> (Settings, Setting<SocketAddr>) {
    let default = SocketAddr::from(([127, 0, 0, 1], 9901));
    let listen = section.read("listen", address::listen).or(default);
    let token = section.read("token", token);
    let open = section.boolean("open", false);
    if listen.sound && token.sound && token.value.is_none() && open.sound && !open.value {
        closed(section.reader, &listen, token.at);
    }
    section.finish();
    let settings = Settings {
        listen: listen.value,
        token: token.value,
        open: open.value,
    };
    (settings, listen)
}

/// Whoever reaches this port may purge everything, so beyond this machine it wants a token, or a word that the network
/// sees to it.
fn closed(reader: &Reader<'_>, listen: &Setting<SocketAddr>, token: Option<Place>) {
    if is_loopback(listen.value.ip()) || !reader.all_readable() {
        return;
    }
    let message = format!(
        "`admin.listen`, {}, can be reached from other machines, and nothing keeps them from purging",
        listen.value
    );
    let token = match reader.variable(token) {
        Some(name) => format!("set `{name}` in the environment to a token"),
        None => "write `token = \"${ADMIN_TOKEN}\"` under `[admin]`".to_owned(),
    };
    let help = format!(
        "{token}, listen on 127.0.0.1, or write `open = true` where the network keeps others out"
    );
    let problem = Problem::new(message, listen.at).key("admin.listen");
    reader.report(problem.help(help));
}

/// Whether only this machine reaches `ip`, also where IPv6 carries an address of IPv4.
pub(super) fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}
