//! HEAD and QUERY follow GET: what a route says of reading a path holds however it is read.

use super::Pattern;
use http::Method;

/// The methods that the route `at` matches: those that are written and, where GET is one of them, HEAD and QUERY too
/// (RFC 9110 §9.3.2, RFC 10008 §2), each unless a route of the very same path names it.
pub fn matched(routes: &[(&Pattern, &[Method])], at: usize) -> Vec<Method> {
    let (path, written) = routes[at];
    let mut methods = written.to_vec();
    if !written.contains(&Method::GET) {
        return methods;
    }
    let query = Method::from_bytes(b"QUERY").expect("this is a method");
    for follower in [Method::HEAD, query] {
        let is_named = |(other, methods): &(&Pattern, &[Method])| {
            other.is_same_path(path) && methods.contains(&follower)
        };
        if !routes.iter().any(is_named) {
            methods.push(follower);
        }
    }
    methods
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(routes: &[(&str, &str)]) -> Vec<String> {
        let parsed: Vec<(Pattern, Vec<Method>)> = routes
            .iter()
            .map(|(path, methods)| {
                let methods = methods.split(' ').map(|method| method.parse().unwrap());
                (Pattern::parse(path).unwrap(), methods.collect())
            })
            .collect();
        let parsed: Vec<_> = parsed
            .iter()
            .map(|(path, methods)| (path, &methods[..]))
            .collect();
        let names = |at| {
            let methods = matched(&parsed, at);
            methods
                .iter()
                .map(Method::as_str)
                .collect::<Vec<_>>()
                .join(" ")
        };
        (0..parsed.len()).map(names).collect()
    }

    #[test]
    fn head_and_query_follow_get() {
        assert_eq!(of(&[("/a", "GET HEAD")]), ["GET HEAD QUERY"]);
        assert_eq!(of(&[("/a", "GET")]), ["GET HEAD QUERY"]);
        assert_eq!(of(&[("/a", "HEAD")]), ["HEAD"]);
        assert_eq!(of(&[("/a", "PUT")]), ["PUT"]);
    }

    #[test]
    fn a_route_of_the_same_path_may_take_them_for_itself() {
        let routes = [("/a/{id}", "GET"), ("/a/{other}", "QUERY")];
        assert_eq!(of(&routes), ["GET HEAD", "QUERY"]);
        let routes = [("/a/{id}", "GET"), ("/a/1", "QUERY"), ("/a/{id}/b", "HEAD")];
        assert_eq!(
            of(&routes),
            ["GET HEAD QUERY", "QUERY", "HEAD"],
            "another path is another"
        );
    }
}
