// A lesson's own page: its video where it is open, else why not; and the way of a video into its frame.
#pragma once

#include "handlers/visitor.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace coursegate::web_gateway {

// GET /lessons/{id}, ?course= where several of the student's courses have it.
async::task<http::response> lesson_page(gateway& g, http::request& request, const visitor& who);
// POST /lessons/{id}/watch: makes the link to one part and shows the lesson with the player in it.
async::task<http::response> watch_form(gateway& g, http::request& request, const visitor& who);
// What the page shows, for another frame around it: of the lesson, or `courses` to choose from.
async::task<nlohmann::json> lesson_data(
    gateway& g, http::request& request, const visitor& who, const reader& seen_by);
// The same form, without a page after it: what to put behind "/play/"; empty where the lesson is not open
// (any more).
async::task<std::string> make_play_link(gateway& g, http::request& request, const visitor& who);

// GET /play/{secret_id}: what the frame asks for. Open to anybody, because what it answers is seen inside the
// frame: nobody is sent to a sign-in page there.
async::task<http::response> play_route(gateway& g, http::request& request);
// GET /app/play/{secret_id}: in the Mini App, whose frames bring no session: the link itself is the proof.
async::task<http::response> app_play_route(gateway& g, http::request& request);

// https://play.example[:port] of any address there.
std::string origin_of(const std::string& url);

} // namespace coursegate::web_gateway
