//! A page far down a list: by its number and by a cursor.

use super::{Rig, repeat};
use crate::{Failure, client::Client, error, figures::Depth, say};

const PAGE: u32 = 100;
/// Where pages are read, in hundredths of the list.
const PLACES: [u32; 5] = [0, 1, 10, 50, 99];

/// Walks the list by its cursors, as a client does, and reads the pages at the wanted places again and again on the way.
pub(super) async fn measure(rig: &Rig<'_>) -> Result<Vec<Depth>, Failure> {
    let mut client = rig.backend.client().await?;
    let mut after = String::new();
    let (mut behind, mut depths) = (0, Vec::new());
    for place in PLACES {
        let wanted = rig.settings.rows() / 100 * place / PAGE * PAGE;
        while behind < wanted {
            after = next(&mut client, &after).await?;
            behind += PAGE;
        }
        depths.push(at(rig, &mut client, behind, &after).await?);
    }
    say(&format!(
        "{}: {behind} messages were walked by cursor",
        rig.database.name()
    ));
    Ok(depths)
}

async fn next(client: &mut Client, after: &str) -> Result<String, Failure> {
    let answer = client
        .get(&format!("/api/messages?limit={PAGE}{after}"))
        .await?;
    let page: serde_json::Value = serde_json::from_slice(&answer.body)?;
    let next = page["next"].as_str();
    let next = next.ok_or_else(|| error("the list of messages is too short".to_owned()))?;
    Ok(format!("&after={next}"))
}

async fn at(
    rig: &Rig<'_>,
    client: &mut Client,
    behind: u32,
    after: &str,
) -> Result<Depth, Failure> {
    let by_cursor = format!("/api/messages?limit={PAGE}{after}");
    let by_number = format!(
        "/api/naive/messages?limit={PAGE}&page={}",
        behind / PAGE + 1
    );
    let same = items(client, &by_cursor).await? == items(client, &by_number).await?;
    if !same {
        return Err(error(format!(
            "{by_cursor} and {by_number} show different messages"
        )));
    }
    let mut times = Vec::new();
    for path in [&by_number, &by_cursor] {
        let get = async |_| Ok(client.get(path).await?.took);
        times.push(repeat(rig.patience(), get).await?);
    }
    Ok(Depth {
        behind,
        offset: times[0],
        cursor: times[1],
    })
}

async fn items(client: &mut Client, path: &str) -> Result<serde_json::Value, Failure> {
    let answer = client.get(path).await?;
    let mut page: serde_json::Value = serde_json::from_slice(&answer.body)?;
    Ok(page["items"].take())
}
