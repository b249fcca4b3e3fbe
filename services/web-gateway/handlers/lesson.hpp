// A lesson's own page: its video where it is open, else why not; and the way of a video into its frame.
#pragma once

#include "handlers/visitor.hpp"

namespace coursegate::web_gateway {

// GET /lessons/{id}, ?course= where several of the student's courses have it.
async::task<http::response> lesson_page(gateway& g, http::request& request, const visitor& who);
// POST /lessons/{id}/watch: makes the link to one part and shows the lesson with the player in it.
async::task<http::response> watch_form(gateway& g, http::request& request, const visitor& who);
// GET /play/{secret_id}: what the frame asks for. Open to anybody, because what it answers is seen inside the
// frame: nobody is sent to a sign-in page there.
async::task<http::response> play_route(gateway& g, http::request& request);

} // namespace coursegate::web_gateway
